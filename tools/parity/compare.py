"""How far two tensors or pictures are apart."""

from __future__ import annotations

import dataclasses

import torch


def relative_l2(ours: torch.Tensor, truth: torch.Tensor) -> float:
    """|ours - truth| / |truth|; infinite when the shapes differ or anything is not finite."""
    if ours.shape != truth.shape or not torch.isfinite(ours.double()).all():
        return float("inf")
    truth = truth.double()
    difference = (ours.double() - truth).norm().item()
    return difference / truth.norm().item() if difference else 0.0


@dataclasses.dataclass(frozen=True)
class PixelDifference:
    share: float  # of the 8 bit values that differ at all
    largest: int  # in levels


def pixels(ours: torch.Tensor, truth: torch.Tensor) -> PixelDifference:
    """Of bytes [..., RGBA]. The colour of what both show nothing of does not count: layerpipe gives it the neighbours' colour."""
    if ours.shape != truth.shape:
        return PixelDifference(1.0, 255)
    seen = (ours[..., 3:] > 0) | (truth[..., 3:] > 0)
    difference = (ours.int() - truth.int()).abs() * seen
    return PixelDifference((difference > 0).float().mean().item(), int(difference.max()))
