"""Encoded scenes for the training of the transformer.

Rendering and encoding take about as long as a training step, so each chunk of scenes is used a few times, with new noise and new
noise levels each time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from .flow import pack
from .scenes import SceneSource
from .settings import TransformerTraining
from .text_encoder import PromptEncoder
from .vae import Latents


@dataclass
class Chunk:
    tokens: Tensor  # [scenes, (layers + 1) * rows * columns, 64]: the whole picture, then the layers; bf16 on a GPU
    text: Tensor  # [scenes, text tokens, hidden]
    layers: int
    rows: int
    columns: int
    uses: int = 0

    @property
    def condition(self) -> Tensor:
        return self.tokens[:, : self.rows * self.columns]


class ChunkSource:
    def __init__(self, settings: TransformerTraining, scenes: SceneSource, latents: Latents, prompts: PromptEncoder, seed: int):
        self._settings, self._scenes, self._latents, self._prompts = settings, scenes, latents, prompts
        self._random = random.Random(seed)
        self.factor = 1  # times the settings' scenes
        self._kept: dict[tuple[int, int, int], list[Chunk]] = {}

    def draw(self, layers: int, size: tuple[int, int]) -> Chunk:
        """A chunk of `factor` times settings.scenes[layers] scenes of `size` (height, width)."""
        kept = self._kept.setdefault((layers, *size), [])
        if len(kept) < self._settings.chunks:
            kept.append(self._make(layers, *size))
            chunk = kept[-1]
        else:
            place = self._random.randrange(len(kept))
            if kept[place].uses >= self._settings.chunk_uses:
                kept[place] = self._make(layers, *size)
            chunk = kept[place]
        chunk.uses += 1
        return chunk

    def start_anew(self, factor: int) -> None:
        self.factor = factor
        self._kept.clear()

    @torch.no_grad()
    def _make(self, layers: int, height: int, width: int) -> Chunk:
        count = self.factor * self._settings.scenes[layers]
        scenes = self._scenes.draw(count, layers, height, width)
        pictures = torch.cat([scenes.composite[:, None], scenes.layers], 1).flatten(0, 1)
        latents = self._latents.of(pictures).unflatten(0, (count, layers + 1))
        text = self._prompts.embed(scenes.prompts, self._random.choice(self._settings.text_tokens))
        half = torch.bfloat16 if pictures.is_cuda else torch.float32
        return Chunk(pack(latents).to(half), text, layers, height // 16, width // 16)
