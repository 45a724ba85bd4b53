"""All shapes and glyphs as tables of signed distances, from which scenes are drawn."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch

from . import distance, shapes, strokes

SHAPE_SIDE = 128  # samples along a side
SHAPE_REACH = 1.5  # the table covers -1.5 … 1.5, so that shadows and outlines have distances too
GLYPH_SIDE = 64
GLYPH_SCALE = 7.5  # samples for one unit of the pen's grid: 30 x 45 for a letter
GLYPH_ADVANCE = 42  # samples from one letter of a line to the next
PEN = 1.1  # width in units of the pen's grid
BLOBS = 40


@dataclass(frozen=True)
class Atlas:
    """Distances are positive inside, in units of half a shape (`shapes`) or half a letter's height (`glyphs`)."""

    shapes: torch.Tensor  # [plain shapes, icons, blobs; 128, 128] fp32
    shape_names: list[str]
    glyphs: torch.Tensor  # [letters, then small shapes; 64, 64] fp32
    scripts: dict[str, range]  # where a script's letters lie
    small: dict[str, int]  # shapes that come in rows

    def to(self, device: torch.device) -> Atlas:
        return Atlas(self.shapes.to(device), self.shape_names, self.glyphs.to(device), self.scripts, self.small)


@functools.cache
def make_atlas() -> Atlas:
    named = shapes.PLAIN | shapes.ICONS | {f"blob {i}": shapes.blob(i) for i in range(BLOBS)}
    places = _grid(SHAPE_SIDE) * SHAPE_REACH
    names = ["blob" if name.startswith("blob") else name for name in named]

    glyphs, scripts = [], {}
    places_of_letters = (_grid(GLYPH_SIDE) * GLYPH_SIDE / 2 / GLYPH_SCALE) + (strokes.COLUMNS / 2, strokes.ROWS / 2)
    half = strokes.ROWS / 2
    for script, letters in strokes.SCRIPTS.items():
        scripts[script] = range(len(glyphs), len(glyphs) + len(letters))
        glyphs += [distance.pen(places_of_letters, strokes.strokes(text), PEN) / half for text in letters.values()]
    small = {}
    for name in ("circle", "square", "triangle", "star", "heart", "diamond", "drop", "leaf", "moon", "arrow", "flower"):
        small[name] = len(glyphs)
        # A row's shapes are a little lower than letters, so that they do not touch.
        shrunk = 0.78
        glyphs.append(named[name]((places_of_letters - (2, 3)) / half / shrunk) * shrunk)
    return Atlas(
        torch.from_numpy(np.stack([shape(places) for shape in named.values()])).float(), names,
        torch.from_numpy(np.stack(glyphs)).float(), scripts, small,
    )


def _grid(side: int) -> np.ndarray:
    """Centres of side x side cells over -1 … 1: [side, side, 2] (x, y)."""
    line = (np.arange(side) + 0.5) / side * 2 - 1
    return np.stack(np.meshgrid(line, line), axis=-1)
