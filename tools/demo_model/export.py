"""Writes the trained model as a folder in diffusers' layout, bf16, with a model card.

    PYTHONPATH=tools python3 -m demo_model.export --state DIR [--out demo/model] [--evaluation FILE.json]
"""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import dataclasses  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import shutil  # noqa: E402
from pathlib import Path  # noqa: E402

import needs  # noqa: E402

if __name__ == "__main__":
    needs.packages("torch", "safetensors", "diffusers", "transformers")

import torch  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

from parity.models import write_pipeline_files, write_tensors, write_text_encoder  # noqa: E402
from parity.specs import Case  # noqa: E402

from . import frozen, model_card, quantise, state  # noqa: E402
from .settings import PLANS  # noqa: E402
from .text_encoder import text_case  # noqa: E402
from .tokenizer import write_tokenizer  # noqa: E402
from .transformer import make_transformer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
LARGEST_SHARD = 14_000_000


def export(state_folder: Path, out: Path) -> dict[str, int]:
    """Replaces `out`; returns the number of parameters of each part."""
    progress = state.load_progress(state_folder)
    if progress is None or progress.phase != "transformer":
        raise SystemExit(f"error: {state_folder} has no trained transformer")
    plan = PLANS[progress.plan]()
    parts = frozen.load(state_folder, plan, torch.device("cpu"))
    transformer = make_transformer(plan.sizes)
    _load_average(transformer, state.load(state_folder, progress))

    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    write_tokenizer(out / "tokenizer")
    write_pipeline_files(out)
    case = text_case(plan.sizes)
    for name, model in (("transformer", transformer), ("vae", parts.vae)):
        model.save_config(out / name)
        _hide_folders(out / name / "config.json")
        write_tensors(out / name, "diffusion_pytorch_model", dict(model.state_dict()), _sharded(case, model))
    tokenizer = AutoTokenizer.from_pretrained(out / "tokenizer")
    write_text_encoder(out / "text_encoder", parts.text_encoder, tokenizer, case)
    return {name: sum(p.numel() for p in model.parameters())
            for name, model in (("transformer", transformer), ("vae", parts.vae), ("text encoder", parts.text_encoder))}


def _load_average(model: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    parameters = sorted(model.named_parameters())
    vector = quantise.unpack("average", tensors, sum(p.numel() for _, p in parameters))
    begin = 0
    with torch.no_grad():
        for _, p in parameters:
            p.copy_(vector[begin:begin + p.numel()].view(p.shape))
            begin += p.numel()


def _sharded(case: Case, model: torch.nn.Module) -> Case:
    size = sum(2 * p.numel() for p in model.parameters())
    return dataclasses.replace(case, shards=math.ceil(size / LARGEST_SHARD))


def _hide_folders(config: Path) -> None:
    """Without where a config was read from."""
    values = json.loads(config.read_text())
    values.pop("_name_or_path", None)
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def folder_bytes(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "demo" / "model")
    parser.add_argument("--evaluation", type=Path, help="what evaluate.py wrote, for the model card")
    args = parser.parse_args()
    counts = export(args.state, args.out)
    model_card.write(args.out, state.load_progress(args.state), counts, args.evaluation)
    for name, count in counts.items():
        print(f"{name}: {count:,} parameters")
    print(f"{args.out.name}: {folder_bytes(args.out) / 1e6:.2f} MB, largest file "
          f"{max(f.stat().st_size for f in args.out.rglob('*') if f.is_file()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
