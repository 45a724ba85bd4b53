"""Signed distances in the plane, positive inside. Points are arrays [..., 2]; y points down.

Polygon: Inigo Quilez, "2D distance functions". Intersections and unions are lower bounds away from the edge, which
is all that edges, outlines and shadows need.
"""

from __future__ import annotations

import numpy as np


def segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Plain (unsigned) distance to a segment."""
    along, offset = end - start, points - start
    share = np.clip(offset @ along / max(along @ along, 1e-12), 0, 1)
    return np.linalg.norm(offset - share[..., None] * along, axis=-1)


def pen(points: np.ndarray, strokes: list[np.ndarray], width: float) -> np.ndarray:
    """Strokes of a round pen."""
    nearest = np.full(points.shape[:-1], np.inf)
    for stroke in strokes:
        for start, end in zip(stroke[:-1], stroke[1:]):
            nearest = np.minimum(nearest, segment(points, start, end))
    return width / 2 - nearest


def polygon(points: np.ndarray, *corners: tuple[float, float]) -> np.ndarray:
    ring = np.array(corners, np.float64)
    nearest = np.full(points.shape[:-1], np.inf)
    inside = np.zeros(points.shape[:-1], bool)
    for start, end in zip(ring, np.roll(ring, -1, axis=0)):
        nearest = np.minimum(nearest, segment(points, start, end))
        crosses = (start[1] > points[..., 1]) != (end[1] > points[..., 1])
        slope = (end[0] - start[0]) / (end[1] - start[1] if end[1] != start[1] else 1.0)
        inside ^= crosses & (points[..., 0] < start[0] + slope * (points[..., 1] - start[1]))
    return np.where(inside, nearest, -nearest)


def polar(points: np.ndarray, radius, count: int = 96) -> np.ndarray:
    """The polygon whose corner at angle t lies at radius(t)."""
    angles = np.arange(count) / count * 2 * np.pi
    return polygon(points, *[(radius(t) * np.sin(t), -radius(t) * np.cos(t)) for t in angles])


def circle(points: np.ndarray, x: float, y: float, radius: float) -> np.ndarray:
    return radius - np.linalg.norm(points - (x, y), axis=-1)


def box(points: np.ndarray, left: float, top: float, right: float, bottom: float, corner: float = 0.0) -> np.ndarray:
    half = np.array([(right - left) / 2 - corner, (bottom - top) / 2 - corner])
    offset = np.abs(points - ((left + right) / 2, (top + bottom) / 2)) - half
    outside = np.linalg.norm(np.maximum(offset, 0), axis=-1)
    return corner - outside - np.minimum(offset.max(axis=-1), 0)


def union(*shapes: np.ndarray) -> np.ndarray:
    return np.maximum.reduce(shapes)


def common(*shapes: np.ndarray) -> np.ndarray:
    return np.minimum.reduce(shapes)


def without(shape: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return np.minimum(shape, -hole)
