"""How good layers are, with the true layers known. Pictures are straight RGBA, 0 … 1."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from .render import over

EMPTY = 0.0005  # a layer whose mean alpha is below this is empty


@dataclass(frozen=True)
class Scores:
    psnr: float  # of the composite against the input, dB
    iou: float  # mean alpha IoU over all layers, best matching
    foreground_iou: float | None  # over the true layers but the first; None for one layer
    color_error: float  # mean absolute error under the true alpha, over the layers that are not empty


def score(made: Tensor, true: Tensor, composite: Tensor) -> Scores:
    """Layers [layers, 4, h, w], composite [4, h, w]."""
    table = iou_table(true, made)
    match = best_matching(table)
    ious = [table[i, j].item() for i, j in enumerate(match)]
    errors = [color_error(made[j], true[i]) for i, j in enumerate(match) if true[i, 3].mean() > EMPTY]
    foreground = ious[1:]
    return Scores(
        psnr=psnr(over(made[None])[0, :3], composite[:3]),
        iou=sum(ious) / len(ious),
        foreground_iou=sum(foreground) / len(foreground) if foreground else None,
        color_error=sum(errors) / len(errors),
    )


def psnr(a: Tensor, b: Tensor) -> float:
    error = (a - b).square().mean().item()
    return 99.0 if error < 1e-10 else -10 * torch.log10(torch.tensor(error)).item()


def iou_table(true: Tensor, made: Tensor) -> Tensor:
    """[true, made]: sum of the smaller alphas over sum of the larger ones; 1 where both layers are empty."""
    a, b = true[:, None, 3], made[None, :, 3]
    smaller, larger = torch.minimum(a, b).mean((-1, -2)), torch.maximum(a, b).mean((-1, -2))
    return torch.where(larger < EMPTY, 1.0, smaller / larger.clamp(min=1e-9))


def best_matching(table: Tensor) -> tuple[int, ...]:
    """For each true layer its layer, so that the sum is largest (tried out: there are few layers)."""
    table = table.tolist()
    return max(itertools.permutations(range(len(table))), key=lambda m: sum(table[i][j] for i, j in enumerate(m)))


def color_error(made: Tensor, true: Tensor) -> float:
    alpha = true[3]
    return ((made[:3] - true[:3]).abs().mean(0) * alpha).sum().item() / alpha.sum().item()


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
