"""The folder in which training stops and goes on: at most 60 MB, in files of at most 15 MB.

    progress.json           plan, phase, step, seconds of training
    part-1.safetensors …    the optimizer's vectors and the random generators of the phase
    frozen.safetensors      the trained VAE and the text encoder, in bf16, from the end of the first phase on
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

LARGEST_FILE = 14_000_000


@dataclass
class Progress:
    plan: str
    phase: str
    step: int = 0
    seconds: float = 0.0  # of training in this phase; starting and compiling do not count
    vae_seconds: float = 0.0  # the same of the phase before


def load_progress(folder: Path) -> Progress | None:
    file = folder / "progress.json"
    return Progress(**json.loads(file.read_text())) if file.exists() else None


def save(folder: Path, progress: Progress, tensors: dict[str, Tensor]) -> None:
    """Writes beside and renames, so that an end in the middle leaves what was there."""
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(t.nbytes for t in tensors.values())
    parts = math.ceil(total / LARGEST_FILE)
    shards: list[dict[str, Tensor]] = [{} for _ in range(parts)]
    for name, tensor in tensors.items():
        pieces = tensor.tensor_split(parts) if tensor.nbytes > 1_000_000 else [tensor]
        for shard, piece in zip(shards, pieces):
            shard[name] = piece.contiguous()
    stamp = {"step": str(progress.step), "phase": progress.phase, "parts": str(parts)}
    for number, shard in enumerate(shards, 1):
        save_file(shard, folder / f"new-{number}", metadata=stamp)
    for number in range(1, parts + 1):
        (folder / f"new-{number}").replace(_part(folder, number))
    for old in folder.glob("part-*.safetensors"):
        if int(old.stem.removeprefix("part-")) > parts:
            old.unlink()
    (folder / "new-progress").write_text(json.dumps(asdict(progress), indent=2) + "\n")
    (folder / "new-progress").replace(folder / "progress.json")


def load(folder: Path, progress: Progress) -> dict[str, Tensor]:
    """The tensors of `save`; raises ValueError when the files are not of one moment."""
    tensors: dict[str, list[Tensor]] = {}
    number, parts = 1, 1
    while number <= parts:
        with safe_open(_part(folder, number), "pt") as file:
            stamp = file.metadata()
            if (stamp["step"], stamp["phase"]) != (str(progress.step), progress.phase):
                raise ValueError(f"{_part(folder, number)} is of step {stamp['step']} of {stamp['phase']}, "
                                 f"progress.json of step {progress.step} of {progress.phase}")
            parts = int(stamp["parts"])
            for name in file.keys():
                tensors.setdefault(name, []).append(file.get_tensor(name))
        number += 1
    return {name: torch.cat(pieces) for name, pieces in tensors.items()}


def _part(folder: Path, number: int) -> Path:
    return folder / f"part-{number}.safetensors"


def save_frozen(folder: Path, vae: dict[str, Tensor], statistics: Tensor, text_encoder: dict[str, Tensor]) -> None:
    """`statistics` [2, 16]: mean and standard deviation of the latents. Weights are rounded to bf16; of the VAE's causal kernels
    only the last time slice, all that is not zero, is kept."""
    tensors = {f"vae.{name}": _last_slice(t) for name, t in vae.items()} | {f"text_encoder.{name}": t for name, t in text_encoder.items()}
    tensors = {name: t.to("cpu", torch.bfloat16).contiguous() for name, t in tensors.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors | {"statistics": statistics.float().cpu()}, folder / "new-frozen")
    (folder / "new-frozen").replace(folder / "frozen.safetensors")


def load_frozen(folder: Path) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor]]:
    """(VAE, statistics, text encoder); the VAE's tensors with their last slices alone, see `widen`."""
    tensors = load_file(folder / "frozen.safetensors")
    statistics = tensors.pop("statistics")
    split = [{name.removeprefix(prefix): t.float() for name, t in tensors.items() if name.startswith(prefix)}
             for prefix in ("vae.", "text_encoder.")]
    return split[0], statistics, split[1]


def _last_slice(tensor: Tensor) -> Tensor:
    return tensor[:, :, -1] if tensor.ndim == 5 else tensor


def widen(tensors: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Puts last slices back into kernels of `like`'s shapes, zero elsewhere."""
    wide = {}
    for name, target in like.items():
        wide[name] = torch.zeros_like(target)
        (wide[name][:, :, -1] if target.ndim == 5 else wide[name]).copy_(tensors[name])
    return wide
