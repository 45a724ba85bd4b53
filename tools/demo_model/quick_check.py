#!/usr/bin/env python3
"""Checks in a minute or two on a CPU that the demo model's tooling works, with a toy model.

    python tools/demo_model/quick_check.py [--layerpipe build/layerpipe]

The faster forms of the networks, the schedule and the prompts are compared with diffusers; training runs for a few seconds, goes
on from its files, and is exported; diffusers and the C++ program take a picture apart with the result and agree.
"""

import os
import sys

if __debug__:
    os.execv(sys.executable, [sys.executable, "-O", *sys.argv])  # the pipeline asserts a resolution of 640 or 1024

os.environ["HF_HUB_OFFLINE"] = "1"

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import needs  # noqa: E402

needs.packages("numpy", "torch", "PIL", "safetensors", "diffusers", "transformers")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from diffusers import FlowMatchEulerDiscreteScheduler, QwenImageLayeredPipeline  # noqa: E402
from PIL import Image  # noqa: E402

from demo_model import export, flow, frozen, metrics, state, transformer, transformer_training, vae, vae_training  # noqa: E402
from demo_model.optimizer import FlatOptimizer  # noqa: E402
from demo_model.render import over  # noqa: E402
from demo_model.scenes import SceneSource  # noqa: E402
from demo_model.session import Session  # noqa: E402
from demo_model.settings import Plan, toy_plan  # noqa: E402
from demo_model.tokenizer import TEMPLATE  # noqa: E402
from parity import reference  # noqa: E402
from parity.models import SCHEDULER, randomise  # noqa: E402

PROMPT = "A large red circle and 3 small white stars on a blue background."
CPU = torch.device("cpu")


def check(condition: bool, what: str) -> None:
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def check_scenes() -> None:
    first, again = (SceneSource(3).draw(4, 4, 64, 96) for _ in range(2))
    check(torch.equal(first.layers, again.layers) and first.prompts == again.prompts, "a seed gives the same scenes")
    check((over(first.layers) - first.composite).abs().max() < 1.6 / 255, "the layers' composite is the picture")
    flat = SceneSource(3).draw(2, 1, 64, 64)
    check(torch.equal(flat.layers[:, 0], flat.composite), "one layer is the picture")
    scores = metrics.score(first.layers[0].flip(0), first.layers[0], first.composite[0])
    check(scores.iou > 0.999 and scores.color_error < 1e-6, "true layers in another order score best")


@torch.no_grad()
def check_networks() -> None:
    sizes = toy_plan().sizes
    model = vae.make_vae(sizes)
    pictures = torch.rand(2, 4, 64, 96) * 2 - 1
    mean = vae.encode(model, pictures)[0]
    check(torch.allclose(mean, model.encode(pictures[:, :, None]).latent_dist.mode()[:, :, 0], atol=1e-5), "the flat encoder is diffusers'")
    decoded = vae.decode(model, mean).clamp(-1, 1)
    check(torch.allclose(decoded, model.decode(mean[:, :, None]).sample[:, :, 0], atol=1e-4), "the flat decoder is diffusers'")

    net = transformer.make_transformer(sizes)
    randomise(net, "quick_check")
    layers, rows, columns, length = 3, 4, 6, 9
    tokens, text = torch.randn(2, (layers + 2) * rows * columns, 64), torch.randn(2, length, sizes.text_hidden)
    timestep = torch.tensor([0.3, 0.9])
    fast = transformer.forward(net, tokens, timestep, text, transformer.rotary(net, layers, rows, columns, length, CPU))
    slow = net(hidden_states=tokens, timestep=timestep, encoder_hidden_states=text, additional_t_cond=torch.zeros(2, dtype=torch.long),
               img_shapes=transformer.frame_shapes(layers, rows, columns) * 2).sample
    check((fast - slow).norm() / slow.norm() < 1e-5, "the faster transformer is diffusers'")

    latents = torch.randn(2, 4, 16, 8, 12)
    check(torch.equal(flow.pack(latents), QwenImageLayeredPipeline._pack_latents(latents, 2, 16, 8, 12, 4)), "tokens are packed as by diffusers")
    check(torch.equal(flow.unpack(flow.pack(latents), 4, 4, 6), latents), "and unpacked")
    scheduler = FlowMatchEulerDiscreteScheduler(**SCHEDULER)
    for steps, count in ((20, 256), (4, 64)):
        scheduler.set_timesteps(sigmas=np.linspace(1, 0, steps + 1)[:-1], mu=(count / 256) ** 0.5)
        check(torch.allclose(scheduler.sigmas, flow.sigmas(steps, count), atol=1e-6), f"{steps} noise levels are the scheduler's")


def check_state(folder: Path) -> None:
    net = transformer.make_transformer(Plan().sizes)
    optimizer = FlatOptimizer(net, 0.9, 1.0)
    for step in range(2):
        for p in net.parameters():
            p.grad.normal_()
        optimizer.step(step, 1e-3)
    tensors = optimizer.state()
    progress = state.Progress("full", "transformer", 2, 1.0)
    state.save(folder, progress, tensors)
    sizes = [f.stat().st_size for f in folder.iterdir()]
    check(sum(sizes) < 58e6 and max(sizes) < 15e6 and len(sizes) <= 6, f"the full state takes {sum(sizes) / 1e6:.1f} MB, {len(sizes)} files")
    loaded = state.load(folder, progress)
    check(all(torch.equal(tensors[name], loaded[name]) for name in tensors), "it is read back")
    again = transformer.make_transformer(Plan().sizes)
    other = FlatOptimizer(again, 0.9, 1.0)
    other.restore(loaded)
    pairs = [(a, b) for a, b in zip(net.parameters(), again.parameters())]
    error = sum((a - b).square().sum() for a, b in pairs).sqrt() / sum(a.square().sum() for a, _ in pairs).sqrt()
    check(error < 1e-3, f"parameters come back within {error:.1e}")


def train_and_export(folder: Path) -> Path:
    state_folder, plan = folder / "state", toy_plan()

    def session(seconds: float) -> Session:
        now = time.monotonic()
        return Session(state_folder, plan, "toy", CPU, now, now + seconds, False, None, None)

    vae_training.train(session(6))
    transformer_training.train(session(6))
    steps = state.load_progress(state_folder).step
    transformer_training.train(session(5))
    check(state.load_progress(state_folder).step > steps > 0, f"training went on after step {steps}")
    export.export(state_folder, folder / "model")
    weights = frozen.load(state_folder, plan, CPU)
    check(all(torch.equal(a, b) for a, b in zip(weights.vae.parameters(), frozen.load(state_folder, plan, CPU).vae.parameters())), "exported")
    return folder / "model"


def check_model(model: Path, program: Path | None, folder: Path) -> None:
    reference.quiet()
    pipe = reference.load_pipeline(model, torch.float32)
    before = pipe.tokenizer(TEMPLATE.split("{}")[0]).input_ids
    check(len(before) == pipe.prompt_template_encode_start_idx and pipe.prompt_template_encode == TEMPLATE,
          "the template's beginning is dropped exactly")
    for text in (" ", PROMPT, "żółw 漢字 🙂"):
        check(pipe.tokenizer.decode(pipe.tokenizer(text).input_ids) == text, f"{text!r} survives the tokenizer")
    prompts = frozen.load(folder / "state", toy_plan(), CPU).prompts(CPU)
    check(torch.allclose(prompts.embed([PROMPT]), pipe.encode_prompt(PROMPT)[0], atol=1e-5), "prompts are embedded as by diffusers")

    picture = folder / "picture.png"
    scene = SceneSource(9).draw(1, 2, 64, 64).composite[0]
    Image.fromarray((scene * 255).byte().permute(1, 2, 0).numpy(), "RGBA").save(picture)
    images = pipe(image=Image.open(picture), prompt=PROMPT, negative_prompt=" ", layers=2, resolution=64, num_inference_steps=2,
                  true_cfg_scale=2.0, generator=torch.Generator().manual_seed(777)).images[0]
    check(len(images) == 2 and images[0].size == (64, 64), "diffusers takes a picture apart")
    if program is None:
        return
    subprocess.run([program, "inspect", "--model", model], check=True, stdout=subprocess.DEVNULL)
    out = folder / "layers"
    subprocess.run([program, "decompose", "--model", model, "--image", picture, "--out", out, "--prompt", PROMPT, "--layers", "2",
                    "--any-resolution", "--resolution", "64", "--steps", "2", "--cfg-scale", "2", "--dtype", "fp32",
                    "--device", "cpu", "--quiet"], check=True)
    made = [Image.open(out / f"layer_{i}.png") for i in range(len(images))]
    # Where nothing is to be seen, layerpipe has the neighbours' colour.
    difference = max((np.abs(np.asarray(a, int) - np.asarray(b, int)) * (np.asarray(b)[..., 3:] > 0)).max() for a, b in zip(made, images))
    check(difference <= 1, f"layerpipe gives the same layers (largest difference {difference} of 255)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layerpipe", type=lambda path: Path(needs.program(path)), help="the program; without it that part is left out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    check_scenes()
    check_networks()
    with tempfile.TemporaryDirectory() as folder:
        check_state(Path(folder) / "full")
        check_model(train_and_export(Path(folder)), args.layerpipe, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
