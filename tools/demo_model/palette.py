"""Named colours."""

from __future__ import annotations

import torch

NAMES = [
    "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "black", "white", "grey", "cream", "navy",
    "mint",
]
COLORS = torch.tensor([
    [0.84, 0.16, 0.16], [0.95, 0.54, 0.12], [0.97, 0.84, 0.22], [0.22, 0.62, 0.27], [0.10, 0.56, 0.58], [0.18, 0.38, 0.85],
    [0.50, 0.24, 0.70], [0.94, 0.56, 0.70], [0.48, 0.30, 0.18], [0.08, 0.08, 0.10], [0.95, 0.95, 0.94], [0.52, 0.53, 0.55],
    [0.96, 0.90, 0.76], [0.10, 0.14, 0.36], [0.66, 0.88, 0.76],
])  # [15, 3], 0 … 1
JITTER = 0.06


def draw_colors(source: torch.Generator, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Names' indices [*shape] and colours near them [*shape, 3]."""
    index = torch.randint(len(NAMES), shape, generator=source)
    jitter = (torch.rand(*shape, 3, generator=source) * 2 - 1) * JITTER
    return index, (COLORS[index] + jitter).clamp(0, 1)


def draw_contrasting(source: torch.Generator, others: torch.Tensor, candidates: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """One colour per scene that is well apart from `others` [n, k, 3]: names' indices [n] and colours [n, 3]."""
    count = others.shape[0]
    index, color = draw_colors(source, count, candidates)
    apart = (color[:, :, None] - others[:, None]).square().sum(-1).sqrt().amin(-1)  # [n, candidates]
    score = apart.clamp(max=0.55) + 0.12 * torch.rand(count, candidates, generator=source)
    best = score.argmax(1)
    rows = torch.arange(count)
    return index[rows, best], color[rows, best]
