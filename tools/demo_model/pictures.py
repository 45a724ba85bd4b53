"""Draws the pictures of demo/pictures that the demo model takes apart: composed by hand, not drawn from the training's scenes.

    PYTHONPATH=tools python3 -m demo_model.pictures [FOLDER]

Shapes are the atlas' own, drawn at four times the size and made smaller.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import needs

if __name__ == "__main__":
    needs.packages("numpy", "PIL")

import numpy as np  # noqa: E402
from PIL import Image, ImageFilter  # noqa: E402

from . import distance, shapes, strokes  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
Color = tuple[int, int, int]


class Canvas:
    """A picture of coordinates 0 … width, 0 … height, painted from back to front."""

    def __init__(self, width: int, height: int, top: Color, bottom: Color):
        self.picture = Image.new("RGB", (width, height))
        share = np.linspace(0, 1, height)[:, None, None]
        column = (np.array(top) * (1 - share) + np.array(bottom) * share).repeat(width, 1)
        # Less than half a step of dither hides the bands of a smooth blend.
        dither = (np.arange(width)[None, :, None] * 5 + np.arange(height)[:, None, None] * 3) % 8 / 8
        self.picture.paste(Image.fromarray((column + dither).clip(0, 255).astype(np.uint8)))
        y, x = np.mgrid[:height, :width]
        self._points = np.stack([x + 0.5, y + 0.5], -1)

    def paint(self, inside: np.ndarray, color: Color, opacity: float = 1.0, edge: float = 1.0) -> None:
        """`inside` is a signed distance in pixels."""
        mask = (np.clip(0.5 + inside / edge, 0, 1) * opacity * 255).round().astype(np.uint8)
        self.picture.paste(color, (0, 0), Image.fromarray(mask))

    def shadow(self, inside: np.ndarray, offset: tuple[int, int], blur: float, opacity: float) -> None:
        mask = Image.fromarray((np.clip(0.5 + inside, 0, 1) * opacity * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(blur))
        moved = Image.new("L", mask.size)
        moved.paste(mask, offset)
        self.picture.paste((0, 0, 0), (0, 0), moved)

    def shape(self, name: str, x: float, y: float, size: float, turn: float = 0.0) -> np.ndarray:
        """Signed distance to a shape of the atlas, `size` being half its width."""
        c, s = math.cos(turn), math.sin(turn)
        own = (self._points - (x, y)) @ np.array([[c, -s], [s, c]]) / size
        return (shapes.PLAIN | shapes.ICONS)[name](own) * size

    def ridge(self, base: float, *waves: tuple[float, float, float]) -> np.ndarray:
        """Signed distance below a line of hills, each wave (height, length, shift)."""
        x, y = self._points[..., 0], self._points[..., 1]
        return y - base + sum(height * np.sin(x / length + shift) for height, length, shift in waves)

    def words(self, script: str, letters: list[str], x: float, y: float, height: float, pen: float = 1.1) -> np.ndarray:
        """Signed distance to a line of letters centred at x, y."""
        unit = height / strokes.ROWS
        advance = 5.6
        start = x / unit - (advance * (len(letters) - 1) + strokes.COLUMNS) / 2
        lines = [s + (start + i * advance, y / unit - strokes.ROWS / 2)
                 for i, letter in enumerate(letters) if letter != " " for s in strokes.strokes(strokes.SCRIPTS[script][letter])]
        return distance.pen(self._points / unit, lines, pen) * unit

    def save(self, file: Path) -> None:
        self.picture.save(file, optimize=True)


def moonlight() -> Canvas:
    """A poster: a boat before a rising moon, and the name of the evening."""
    c = Canvas(512, 512, (22, 28, 74), (196, 110, 120))
    for x, y, size in ((60, 70, 3), (130, 40, 2), (210, 90, 2.5), (300, 50, 3), (420, 60, 2), (470, 130, 3), (90, 180, 2), (40, 260, 2.5)):
        c.paint(c.shape("circle", x, y, size), (250, 240, 220), 0.8)
    c.paint(c.ridge(392, (16, 70, 0.4), (6, 27, 2.0)), (66, 52, 104))
    c.paint(c.ridge(446, (12, 90, 2.6), (4, 31, 0.7)), (30, 32, 72))
    c.paint(c.shape("circle", 296, 226, 122), (250, 226, 160))
    boat = c.shape("boat", 206, 330, 78)
    c.shadow(boat, (9, 12), 7, 0.45)
    c.paint(boat, (176, 44, 56))
    title = c.words("Latin", list("LUNA"), 256, 464, 52)
    c.shadow(title, (5, 6), 4, 0.4)
    c.paint(title, (255, 250, 235))
    return c


def orchard() -> Canvas:
    """A label: a leaf over a badge on striped paper, with a line of small drops."""
    c = Canvas(512, 512, (238, 226, 196), (228, 208, 170))
    y = np.mgrid[:512, :512][0]
    c.paint(np.sin(y / 512 * 2 * math.pi * 9) * 9, (214, 190, 150), 0.5)
    badge = c.shape("badge", 256, 226, 170)
    c.shadow(badge, (10, 14), 9, 0.4)
    c.paint(badge, (38, 116, 78))
    leaf = c.shape("leaf", 262, 214, 84, 0.5)
    c.paint(leaf, (236, 196, 60))
    c.paint(np.maximum.reduce([c.shape("heart", 96 + 80 * i, 446, 26) for i in range(5)]), (184, 40, 60))
    return c


def weather() -> Canvas:
    """A wide card: a cloud before the sun, and a line of Chinese characters."""
    c = Canvas(640, 448, (92, 168, 226), (206, 232, 240))
    c.paint(c.ridge(360, (20, 120, 1.0), (6, 40, 0.2)), (106, 166, 92))
    sun = c.shape("sun", 236, 190, 138)
    c.paint(sun, (250, 206, 60))
    cloud = c.shape("cloud", 420, 232, 82)
    c.shadow(cloud, (10, 12), 8, 0.35)
    c.paint(cloud, (250, 250, 252))
    c.paint(c.words("Chinese", ["big", "sun", "sky"], 330, 396, 58), (24, 44, 96))
    return c


# With what a user might say about them.
PICTURES = {
    "moonlight": (moonlight, "A large cream circle, a red boat and white Latin letters above purple hills under a navy sky."),
    "orchard": (orchard, "A large green badge, a yellow leaf and 5 small red hearts on a cream background with brown stripes."),
    "weather": (weather, "A large yellow sun, a white cloud and navy Chinese letters above green hills under a blue sky."),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "demo" / "pictures")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, (draw, prompt) in PICTURES.items():
        file = args.folder / f"{name}.png"
        draw().save(file)
        print(f"{file.name}: {file.stat().st_size} bytes; {prompt}")


if __name__ == "__main__":
    main()
