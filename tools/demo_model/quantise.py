"""Vectors in 8 or 16 bits, each block of 128 values with a scale of its own."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 128
DTYPES = {8: torch.int8, 16: torch.int16}


def pack(name: str, vector: Tensor, bits: int, never_zero: bool = False) -> dict[str, Tensor]:
    """`name` (codes, a multiple of 128 of them) and `name.scale`. With `never_zero`, positive values stay so."""
    blocks = torch.nn.functional.pad(vector, (0, -len(vector) % BLOCK)).view(-1, BLOCK)
    scale = blocks.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    codes = torch.round(blocks / scale.clamp(min=1e-38))
    if never_zero:
        codes = torch.where(blocks > 0, codes.clamp(min=1), codes)
    return {name: codes.to(DTYPES[bits]).flatten().cpu(), f"{name}.scale": scale.flatten().cpu()}


def unpack(name: str, packed: dict[str, Tensor], length: int) -> Tensor:
    return (packed[name].view(-1, BLOCK).float() * packed[f"{name}.scale"][:, None]).flatten()[:length]
