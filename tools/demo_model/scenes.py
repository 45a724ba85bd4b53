"""Scenes with known layers, from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from . import parameters, prompts, render
from .atlas import make_atlas


@dataclass(frozen=True)
class Scenes:
    layers: torch.Tensor  # [n, layers, 4, height, width] straight colours, 0 … 1, layer 0 at the back
    composite: torch.Tensor  # [n, 4, height, width]
    prompts: list[str]


class SceneSource:
    """An endless stream of scenes. What it draws depends on the seed and on the sizes asked for, not on the device
    (but for the last bits of the pixels)."""

    def __init__(self, seed: int, device: torch.device | str = "cpu"):
        self._generator = torch.Generator().manual_seed(seed)
        self._atlas = make_atlas().to(torch.device(device))
        self._atlas_on_cpu = make_atlas()

    @property
    def state(self) -> torch.Tensor:
        return self._generator.get_state()

    @state.setter
    def state(self, value: torch.Tensor) -> None:
        self._generator.set_state(value)

    @torch.no_grad()
    def draw(self, count: int, layers: int, height: int = 256, width: int = 256) -> Scenes:
        aspect = width / height
        drawn = parameters.draw_parameters(self._generator, count, layers, self._atlas_on_cpu, aspect)
        made, composite = render.render(drawn, self._atlas, layers, height, width)
        return Scenes(made, composite, prompts.describe(drawn, self._atlas_on_cpu, aspect))
