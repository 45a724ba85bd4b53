"""Shapes and icons as signed distance functions on the square from -1 to 1, y down."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import distance as d

Shape = Callable[[np.ndarray], np.ndarray]  # points [..., 2] -> signed distance [...]


def _regular(corners: int, inner: float | None = None, turn: float = 0.0) -> Shape:
    """A regular polygon, or a star when `inner` is the radius between its tips."""
    count = corners if inner is None else 2 * corners
    radii = [1.0 if inner is None or i % 2 == 0 else inner for i in range(count)]
    angles = np.arange(count) / count * 2 * np.pi + turn
    points = [(r * np.sin(t), -r * np.cos(t)) for r, t in zip(radii, angles)]
    return lambda p: d.polygon(p, *points)


def _heart(p: np.ndarray) -> np.ndarray:
    t = np.arange(80) / 80 * 2 * np.pi
    x = np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 15 - 0.12
    return d.polygon(p, *zip(x, y))


def _sun(p: np.ndarray) -> np.ndarray:
    rays = [d.polygon(_turned(p, i * np.pi / 4), (-0.16, -0.66), (0, -1), (0.16, -0.66)) for i in range(8)]
    return d.union(d.circle(p, 0, 0, 0.58), *rays)


def _flower(p: np.ndarray) -> np.ndarray:
    return d.polar(p, lambda t: 0.72 + 0.28 * np.cos(6 * t))


def _gear(p: np.ndarray) -> np.ndarray:
    teeth = [d.box(_turned(p, i * np.pi / 4), -0.15, -1, 0.15, -0.6) for i in range(8)]
    return d.without(d.union(d.circle(p, 0, 0, 0.74), *teeth), d.circle(p, 0, 0, 0.3))


def _turned(p: np.ndarray, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return p @ np.array([[c, -s], [s, c]])


# Plain shapes, with the words of a prompt.
PLAIN: dict[str, Shape] = {
    "circle": lambda p: d.circle(p, 0, 0, 1),
    "square": lambda p: d.box(p, -0.9, -0.9, 0.9, 0.9),
    "panel": lambda p: d.box(p, -1, -0.72, 1, 0.72, 0.22),
    "bar": lambda p: d.box(p, -1, -0.36, 1, 0.36, 0.1),
    "pill": lambda p: d.box(p, -1, -0.45, 1, 0.45, 0.45),
    "triangle": _regular(3),
    "diamond": _regular(4),
    "pentagon": _regular(5),
    "hexagon": _regular(6),
    "star": _regular(5, 0.45),
    "badge": _regular(12, 0.86),
    "ring": lambda p: 0.17 - np.abs(d.circle(p, 0, 0, 0.83)),
    "frame": lambda p: 0.12 - np.abs(d.box(p, -0.88, -0.88, 0.88, 0.88)),
    "cross": lambda p: d.union(d.box(p, -0.95, -0.32, 0.95, 0.32), d.box(p, -0.32, -0.95, 0.32, 0.95)),
    "arrow": lambda p: d.polygon(p, (-1, -0.25), (0.15, -0.25), (0.15, -0.7), (1, 0), (0.15, 0.7), (0.15, 0.25), (-1, 0.25)),
    "half circle": lambda p: d.common(d.circle(p, 0, 0.4, 1), d.box(p, -1.5, -1, 1.5, 0.4)),
    "oval": lambda p: d.polar(p, lambda t: 0.62 / np.sqrt((0.62 * np.sin(t)) ** 2 + np.cos(t) ** 2)),
}

ICONS: dict[str, Shape] = {
    "heart": _heart,
    "sun": _sun,
    "flower": _flower,
    "gear": _gear,
    "moon": lambda p: d.without(d.circle(p, 0, 0, 1), d.circle(p, 0.45, -0.25, 0.8)),
    "cloud": lambda p: d.union(d.circle(p, -0.52, 0.2, 0.45), d.circle(p, 0.0, -0.15, 0.55), d.circle(p, 0.55, 0.2, 0.42),
                               d.box(p, -0.55, 0.2, 0.55, 0.64)),
    "house": lambda p: d.without(d.union(d.box(p, -0.7, -0.1, 0.7, 0.9), d.polygon(p, (-1, -0.05), (0, -1), (1, -0.05))),
                                 d.box(p, -0.2, 0.3, 0.2, 1)),
    "tree": lambda p: d.union(d.polygon(p, (-0.6, -0.2), (0, -1), (0.6, -0.2)), d.polygon(p, (-0.8, 0.5), (0, -0.5), (0.8, 0.5)),
                              d.box(p, -0.16, 0.4, 0.16, 1)),
    "fish": lambda p: d.union(d.common(d.circle(p, -0.2, 0.75, 1.12), d.circle(p, -0.2, -0.75, 1.12)),
                              d.polygon(p, (0.4, 0), (1, -0.5), (0.85, 0), (1, 0.5))),
    "boat": lambda p: d.union(d.polygon(p, (-1, 0.4), (1, 0.4), (0.65, 0.9), (-0.65, 0.9)), d.polygon(p, (0.08, -1), (0.08, 0.3), (0.8, 0.3)),
                              d.polygon(p, (-0.06, -0.7), (-0.06, 0.3), (-0.65, 0.3))),
    "leaf": lambda p: d.common(d.circle(p, 0.62, 0, 1.18), d.circle(p, -0.62, 0, 1.18)),
    "drop": lambda p: d.union(d.circle(p, 0, 0.38, 0.6), d.polygon(p, (-0.53, 0.12), (0, -1), (0.53, 0.12))),
    "bolt": lambda p: d.polygon(p, (0.2, -1), (-0.65, 0.15), (-0.08, 0.15), (-0.25, 1), (0.65, -0.25), (0.08, -0.25)),
    "crown": lambda p: d.polygon(p, (-0.95, 0.7), (-1, -0.55), (-0.45, 0), (0, -0.8), (0.45, 0), (1, -0.55), (0.95, 0.7)),
    "cup": lambda p: d.union(d.polygon(p, (-0.75, -0.7), (0.45, -0.7), (0.3, 0.8), (-0.6, 0.8)), 0.1 - np.abs(d.circle(p, 0.5, -0.1, 0.38))),
    "key": lambda p: d.union(0.14 - np.abs(d.circle(p, -0.55, 0, 0.32)), d.box(p, -0.2, -0.11, 1, 0.11), d.box(p, 0.75, 0, 0.95, 0.42),
                             d.box(p, 0.4, 0, 0.6, 0.34)),
    "mushroom": lambda p: d.union(d.common(d.circle(p, 0, 0, 0.95), d.box(p, -1, -1, 1, 0.05)), d.box(p, -0.3, 0, 0.3, 0.9, 0.1)),
    "umbrella": lambda p: d.union(d.common(d.circle(p, 0, 0.05, 1), d.box(p, -1, -1, 1, 0.05)), d.box(p, -0.07, 0, 0.07, 0.85),
                                  d.box(p, -0.3, 0.72, 0.07, 0.88)),
    "bell": lambda p: d.union(d.polygon(p, (-0.85, 0.6), (-0.5, -0.5), (-0.2, -0.85), (0.2, -0.85), (0.5, -0.5), (0.85, 0.6)),
                              d.circle(p, 0, 0.66, 0.22)),
}


def blob(number: int) -> Shape:
    """Blob `number`: a round shape with a wavy edge, always the same one."""
    source = np.random.default_rng(1000 + number)
    waves = [(k, source.uniform(-0.5, 0.5) / k, source.uniform(0, 2 * np.pi)) for k in range(2, 6)]
    most = 1 + sum(abs(height) for _, height, _ in waves)
    return lambda p: d.polar(p, lambda t: (1 + sum(h * np.cos(k * t + s) for k, h, s in waves)) / most)
