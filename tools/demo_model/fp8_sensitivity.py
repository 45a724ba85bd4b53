"""Which layers of the demo model bear 8 bits: the error that each one's e4m3 makes in what the transformer predicts.

    PYTHONPATH=tools python3 -m demo_model.fp8_sensitivity [--scenes 12] [--steps 8] [--device cuda]

diffusers' pipeline runs held-out scenes in fp32 while the transformer's inputs are noted. Then the transformer computes them again
with one kind of layer in e4m3, in all blocks or in all but the first and the last; with one block's layers; with those of
--dtype fp8 (model/transformer/fp8_layers.cpp). Weights have a scale for each output, inputs one for each row, both are multiplied
in fp32: what a GPU's e4m3 product does but for its accumulation. The error is the relative L2 distance from fp32, over all scenes
and steps. The last line is the whole transformer in bf16, for comparison.
"""

import os
import sys

if __debug__ and __name__ == "__main__":
    # The pipeline asserts a resolution of 640 or 1024; without assertions it takes 256.
    os.execv(sys.executable, [sys.executable, "-O", "-m", "demo_model.fp8_sensitivity", *sys.argv[1:]])

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import contextlib  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import needs  # noqa: E402

if __name__ == "__main__":
    needs.packages("numpy", "torch", "PIL", "safetensors", "diffusers", "transformers")

import torch  # noqa: E402
from PIL import Image  # noqa: E402

from parity import quantised, reference  # noqa: E402

from . import evaluate  # noqa: E402
from .settings import EVALUATION_SEED  # noqa: E402

KINDS = (
    "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out",
    "img_mlp.net.0.proj", "img_mlp.net.2", "txt_mlp.net.0.proj", "txt_mlp.net.2", "img_mod.1", "txt_mod.1",
)
NEVER = ("img_mlp.net.2", "img_mod.1", "txt_mod.1")  # by --dtype fp8
CHOSEN = tuple(kind for kind in KINDS if kind not in NEVER)

Call = tuple[tuple, dict]


def in_e4m3(rows: torch.Tensor) -> torch.Tensor:
    """What e4m3 with a scale for each row leaves of them."""
    flat = rows.reshape(-1, rows.shape[-1])
    scale = quantised.row_scale(flat).clamp_min(torch.finfo(torch.float32).tiny)
    return quantised.meaning(quantised.to_e4m3(flat, scale), scale).reshape(rows.shape)


@contextlib.contextmanager
def quantising(transformer: torch.nn.Module, is_chosen: Callable[[int, str], bool]) -> Iterator[int]:
    """Within it, the chosen linears compute in e4m3. Gives how many those are."""
    layers = []
    for number, block in enumerate(transformer.transformer_blocks):
        layers += [block.get_submodule(kind) for kind in KINDS if is_chosen(number, kind)]
    kept = [layer.weight.data for layer in layers]
    hooks = [layer.register_forward_pre_hook(lambda _, inputs: (in_e4m3(inputs[0]), *inputs[1:])) for layer in layers]
    for layer in layers:
        layer.weight.data = in_e4m3(layer.weight.data)
    try:
        yield len(layers)
    finally:
        for layer, weight, hook in zip(layers, kept, hooks):
            layer.weight.data = weight
            hook.remove()


def note_calls(pipe, cases: list[evaluate.Case], args: argparse.Namespace) -> list[Call]:
    calls: list[Call] = []
    hook = pipe.transformer.register_forward_pre_hook(lambda _, a, k: calls.append((a, dict(k))), with_kwargs=True)
    for case in cases:
        pipe(image=Image.open(case.file).convert("RGBA"), prompt=case.prompt, layers=len(case.layers), resolution=args.resolution,
             num_inference_steps=args.steps, true_cfg_scale=1, generator=torch.Generator("cpu").manual_seed(args.seed))
    hook.remove()
    return calls


def cast(value, dtype: torch.dtype):
    return value.to(dtype) if torch.is_tensor(value) and value.is_floating_point() else value


@torch.no_grad()
def predictions(transformer: torch.nn.Module, calls: list[Call], dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    made = []
    for args, kwargs in calls:
        cast_kwargs = {name: cast(value, dtype) for name, value in kwargs.items()}
        made.append(transformer(*(cast(value, dtype) for value in args), **cast_kwargs)[0].float())
    return made


def distance(made: list[torch.Tensor], truth: list[torch.Tensor]) -> float:
    """Relative L2 over all of them."""
    wrong = sum(float((a - b).double().square().sum()) for a, b in zip(made, truth))
    return (wrong / sum(float(b.double().square().sum()) for b in truth)) ** 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=evaluate.ROOT / "demo" / "model")
    parser.add_argument("--out", type=Path, default=evaluate.ROOT / "build" / "fp8_sensitivity", help="folder for the scenes' pictures")
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=777, help="of the noise")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()

    reference.quiet()
    pipe = reference.load_pipeline(args.model, torch.float32).to(args.device)
    transformer = pipe.transformer
    calls = note_calls(pipe, evaluate.make_cases(args.out, args.scenes, args.resolution, EVALUATION_SEED), args)
    truth = predictions(transformer, calls)
    last = len(transformer.transformer_blocks) - 1

    def error(is_chosen: Callable[[int, str], bool]) -> tuple[int, float]:
        with quantising(transformer, is_chosen) as layers:
            return layers, distance(predictions(transformer, calls), truth)

    print(f"{len(calls)} calls of the transformer; relative L2 error of what it predicts, x 1e-3\n")
    print(f"{'in e4m3':24} {'all blocks':>10} {'inner ones':>10}")
    for kind in KINDS:
        everywhere = error(lambda _, name: name == kind)[1]
        inside = error(lambda block, name: name == kind and 0 < block < last)[1]
        print(f"{kind:24} {1e3 * everywhere:10.2f} {1e3 * inside:10.2f}", flush=True)
    print()
    for number in range(last + 1):
        layers, wrong = error(lambda block, name: block == number and name in CHOSEN)
        print(f"{f'block {number}':24} {1e3 * wrong:10.2f}   ({layers} layers)", flush=True)
    print()
    for name, kinds, is_inner in (("--dtype fp8", CHOSEN, True), ("and the outer blocks", CHOSEN, False),
                                  ("and img_mlp.net.2", (*CHOSEN, "img_mlp.net.2"), True),
                                  ("every matrix", KINDS[:12], False), ("and the modulation", KINDS, False)):
        layers, wrong = error(lambda block, kind: kind in kinds and (not is_inner or 0 < block < last))
        print(f"{name:24} {1e3 * wrong:10.2f}   ({layers} layers)", flush=True)
    in_bf16 = predictions(transformer.to(torch.bfloat16), calls, torch.bfloat16)
    print(f"{'all in bf16':24} {1e3 * distance(in_bf16, truth):10.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
