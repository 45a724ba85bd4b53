"""Measures the demo model on scenes that it was not trained on, through the C++ program.

    PYTHONPATH=tools python3 -m demo_model.evaluate --model demo/model --out DIR [--scenes 100] [--reference]

Writes the inputs, the layers and scores.json into --out, prints a table. --reference runs diffusers in place of the program.
The scenes' numbers of layers are 1, 2, 3, 4 in the shares 10, 30, 30 and 30 of 100.
"""

import os
import sys

if __debug__ and __name__ == "__main__":
    # The pipeline asserts a resolution of 640 or 1024; without assertions it takes 256.
    os.execv(sys.executable, [sys.executable, "-O", "-m", "demo_model.evaluate", *sys.argv[1:]])

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import needs  # noqa: E402

if __name__ == "__main__":
    needs.packages("numpy", "torch", "PIL", "safetensors", "diffusers", "transformers")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from . import baselines, contact_sheet, metrics  # noqa: E402
from .scenes import SceneSource  # noqa: E402
from .settings import EVALUATION_SEED  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SHARES = {1: 0.1, 2: 0.3, 3: 0.3, 4: 0.3}
TARGETS = {"psnr": 26.0, "iou": 0.80, "color_error": 0.06}


@dataclass
class Case:
    file: Path
    prompt: str
    composite: torch.Tensor  # [4, h, w]
    layers: torch.Tensor  # [layers, 4, h, w]
    made: torch.Tensor | None = None


def make_cases(folder: Path, scenes: int, resolution: int, seed: int) -> list[Case]:
    cases = []
    folder.mkdir(parents=True, exist_ok=True)
    for layers, share in SHARES.items():
        source = SceneSource(seed + layers)
        for number in range(round(share * scenes)):
            drawn = source.draw(1, layers, resolution, resolution)
            file = folder / f"{layers}_layers_{number:03d}.png"
            _image(drawn.composite[0]).save(file)
            cases.append(Case(file, drawn.prompts[0], drawn.composite[0], drawn.layers[0]))
    return cases


def run_program(cases: list[Case], args: argparse.Namespace) -> None:
    """One call a picture, since a call has one prompt."""
    for case in cases:
        out = args.out / "layers" / case.file.stem
        command = [str(args.program), "decompose", "--model", str(args.model), "--image", str(case.file), "--out", str(out),
                   "--prompt", case.prompt, "--any-resolution", "--resolution", str(args.resolution),
                   "--layers", str(len(case.layers)), "--steps", str(args.steps), "--seed", str(args.seed), "--dtype", args.dtype, "--quiet",
                   *getattr(args, "more", [])]
        command += ["--no-cfg"] if args.cfg_scale <= 1 else ["--cfg-scale", str(args.cfg_scale)]
        subprocess.run(command, check=True)
        case.made = torch.stack([_tensor(out / f"layer_{i}.png") for i in range(len(case.layers))])


def run_reference(cases: list[Case], args: argparse.Namespace) -> None:
    from parity import reference

    reference.quiet()
    pipe = reference.load_pipeline(args.model, {"fp32": torch.float32, "bf16": torch.bfloat16}[args.dtype])
    for case in cases:
        images = pipe(
            image=Image.open(case.file).convert("RGBA"), prompt=case.prompt, negative_prompt=" " if args.cfg_scale > 1 else None,
            layers=len(case.layers), resolution=args.resolution, num_inference_steps=args.steps, true_cfg_scale=args.cfg_scale,
            generator=torch.Generator("cpu").manual_seed(args.seed),
        ).images[0]
        out = args.out / "layers" / case.file.stem
        out.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            image.save(out / f"layer_{number}.png")
        case.made = torch.stack([_tensor(out / f"layer_{i}.png") for i in range(len(images))])


def _tensor(file: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(file).convert("RGBA"))).permute(2, 0, 1).float() / 255


def _image(picture: torch.Tensor) -> Image.Image:
    return Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy(), "RGBA")


def summary(scores: list[metrics.Scores]) -> dict[str, float]:
    return {
        "scenes": len(scores),
        "psnr": metrics.mean([s.psnr for s in scores]),
        "iou": metrics.mean([s.iou for s in scores]),
        "foreground_iou": metrics.mean([s.foreground_iou for s in scores if s.foreground_iou is not None]),
        "color_error": metrics.mean([s.color_error for s in scores]),
    }


def write_sheet(cases: list[Case], file: Path, rows: int = 12) -> None:
    from .render import over

    chosen = [case for case in cases if len(case.layers) == max(len(c.layers) for c in cases)][:rows]
    contact_sheet.stack([
        contact_sheet.row(_image(case.composite), [_image(layer) for layer in case.made], _image(over(case.made[None])[0])) for case in chosen
    ]).save(file, optimize=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "demo" / "model")
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "layerpipe")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg-scale", type=float, default=1.0, help="1 is no guidance")
    parser.add_argument("--seed", type=int, default=777, help="of the noise")
    parser.add_argument("--scene-seed", type=int, default=EVALUATION_SEED)
    parser.add_argument("--dtype", choices=["fp32", "bf16", "fp8"], default="fp32")
    parser.add_argument("--reference", action="store_true", help="run diffusers")
    args = parser.parse_args()

    cases = make_cases(args.out / "inputs", args.scenes, args.resolution, args.scene_seed)
    began = time.monotonic()
    (run_reference if args.reference else run_program)(cases, args)
    seconds = time.monotonic() - began
    made = {
        "model": [case.made for case in cases],
        "one layer": [baselines.one_layer(case.composite, len(case.layers)) for case in cases],
        "k-means colours": [baselines.color_clusters(case.composite, len(case.layers)) for case in cases],
    }
    scores = {name: [metrics.score(m, case.layers, case.composite) for m, case in zip(layers, cases)] for name, layers in made.items()}
    by_layers = {layers: summary([s for s, case in zip(scores["model"], cases) if len(case.layers) == layers])
                 for layers in SHARES if any(len(case.layers) == layers for case in cases)}
    methods = {name: summary(values) for name, values in scores.items()}
    print_table(methods | {f"model, {layers} layers": values for layers, values in by_layers.items()})
    guidance = "no guidance" if args.cfg_scale <= 1 else f"guidance {args.cfg_scale:g}"
    result = {
        "scenes": len(cases), "program": "diffusers" if args.reference else "layerpipe",
        "settings": f"{args.resolution} px, {args.steps} steps, {guidance}, {args.dtype}", "seconds_per_picture": seconds / len(cases),
        "methods": methods, "by_layers": by_layers,
        "pictures": {case.file.stem: vars(s) for case, s in zip(cases, scores["model"])},
    }
    (args.out / "scores.json").write_text(json.dumps(result, indent=2) + "\n")
    write_sheet(cases, args.out / "sheet.png")
    model = methods["model"]
    met = model["psnr"] >= TARGETS["psnr"] and model["iou"] >= TARGETS["iou"] and model["color_error"] <= TARGETS["color_error"]
    print(f"{seconds / len(cases):.1f} s a picture; targets (26 dB, 0.80, 0.06) {'met' if met else 'NOT met'}")
    return 0 if met else 1


def print_table(rows: dict[str, dict[str, float]]) -> None:
    print(f"{'':18} {'scenes':>6} {'PSNR dB':>8} {'IoU':>6} {'foreground':>10} {'colour error':>12}")
    for name, s in rows.items():
        print(f"{name:18} {s['scenes']:6d} {s['psnr']:8.2f} {s['iou']:6.3f} {s['foreground_iou']:10.3f} {s['color_error']:12.4f}")


if __name__ == "__main__":
    sys.exit(main())
