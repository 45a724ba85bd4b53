"""How far the demo model's layers in fp8 lie from those in bf16, and what the choice of layers is worth.

    PYTHONPATH=tools python3 -m demo_model.compare_fp8 --out DIR [--scenes 100] [--program build/layerpipe]

Runs the same scenes and noise in bf16, with --dtype fp8 (the layers of model/transformer/fp8_layers.cpp), and with every
matrix of every block but its modulation in e4m3, which a file that this script writes has. On a CPU all compute in bf16.
Exits with 1 when --dtype fp8 misses a target.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import needs

if __name__ == "__main__":
    needs.packages("numpy", "torch", "PIL", "safetensors", "diffusers", "transformers")

import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from parity import quantised  # noqa: E402

from . import evaluate, metrics  # noqa: E402
from .settings import EVALUATION_SEED  # noqa: E402

TARGETS = {"layers_psnr": 38.0, "alpha_psnr": 35.0, "iou": 0.005}


def quantise_all(model: Path, file: Path) -> None:
    """Every matrix of every block but its modulation."""
    tensors = {}
    stored = {name: tensor for part in sorted((model / "transformer").glob("*.safetensors")) for name, tensor in load_file(part).items()}
    for name, tensor in stored.items():
        is_linear = re.match(r"transformer_blocks\.\d+\.(attn\.(to|add)_|(img|txt)_mlp).*\.weight$", name)
        if not is_linear:
            tensors[name] = tensor
            continue
        scale = quantised.row_scale(tensor)
        tensors[name] = quantised.to_e4m3(tensor, scale)
        tensors[f"{name}_scale"] = scale.flatten()
    save_file(tensors, file)


def compare(made: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    """Layers [layers, 4, h, w]. Colours count by their alpha: nobody sees those of clear pixels."""
    seen = [layers[:, :3] * layers[:, 3:] for layers in (made, truth)]
    return {"layers_psnr": metrics.psnr(*seen), "alpha_psnr": metrics.psnr(made[:, 3], truth[:, 3])}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=evaluate.ROOT / "demo" / "model")
    parser.add_argument("--program", type=Path, default=evaluate.ROOT / "build" / "layerpipe")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg-scale", type=float, default=1.0, help="1 is no guidance")
    parser.add_argument("--seed", type=int, default=777, help="of the noise")
    args = parser.parse_args()

    every = args.out / "all_linears.safetensors"
    args.out.mkdir(parents=True, exist_ok=True)
    quantise_all(args.model, every)
    runs = {"bf16": ("bf16", []), "fp8": ("fp8", []), "all linears": ("bf16", ["--transformer", str(every)])}
    layers, ious = {}, {}
    for name, (dtype, more) in runs.items():
        cases = evaluate.make_cases(args.out / "inputs", args.scenes, args.resolution, EVALUATION_SEED)
        call = argparse.Namespace(**{**vars(args), "out": args.out / name.replace(" ", "_"), "dtype": dtype, "more": more})
        evaluate.run_program(cases, call)
        layers[name] = [case.made for case in cases]
        ious[name] = metrics.mean([metrics.score(case.made, case.layers, case.composite).iou for case in cases])

    print(f"{'':12} {'layers dB':>10} {'worst':>7} {'alpha dB':>9} {'worst':>7} {'alpha IoU':>10}")
    print(f"{'bf16':12} {'':>10} {'':>7} {'':>9} {'':>7} {ious['bf16']:10.4f}")
    table = {"bf16": {"iou": ious["bf16"]}}
    for name in list(runs)[1:]:
        scores = [compare(made, truth) for made, truth in zip(layers[name], layers["bf16"])]
        table[name] = {"iou": ious[name]}
        for key in ("layers_psnr", "alpha_psnr"):
            values = [score[key] for score in scores]
            table[name] |= {key: metrics.mean(values), f"worst_{key}": min(values)}
        row = table[name]
        print(f"{name:12} {row['layers_psnr']:10.2f} {row['worst_layers_psnr']:7.2f} {row['alpha_psnr']:9.2f} "
              f"{row['worst_alpha_psnr']:7.2f} {row['iou']:10.4f}")
    (args.out / "fp8.json").write_text(json.dumps({"scenes": args.scenes, **table}, indent=2) + "\n")
    fp8 = table["fp8"]
    met = (fp8["layers_psnr"] >= TARGETS["layers_psnr"] and fp8["alpha_psnr"] >= TARGETS["alpha_psnr"]
           and abs(fp8["iou"] - ious["bf16"]) <= TARGETS["iou"])
    print(f"targets (38 dB, 35 dB, 0.005) {'met' if met else 'NOT met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
