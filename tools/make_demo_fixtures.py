#!/usr/bin/env python3
"""Writes what goes with the pictures in demo/pictures: what they show, for launch/demo.sh, and their true layers, for the tests.

    python3 tools/make_demo_fixtures.py [--check]

--check writes nothing and fails when a file differs from what would be written, or a picture from what its code draws.

Both come from demo_model/pictures.py. It paints each picture in strokes, and here each layer gets a canvas of its own. Layers have
the size at which the tests take the pictures apart, so that nothing has to be resized for a comparison.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "demo" / "pictures"
TRUTH = ROOT / "tests" / "data" / "demo"
sys.path.insert(0, str(ROOT / "tools"))

import needs  # noqa: E402

needs.packages("numpy", "PIL")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from demo_model import pictures  # noqa: E402

# How many strokes of a picture's code belong to each layer, from back to front. A shadow belongs to what casts it.
STROKES = {"moonlight": (10, 1, 2, 2), "orchard": (1, 2, 1, 1), "weather": (1, 1, 2, 1)}
# The working sizes at a resolution of 256.
SIZES = {"moonlight": (256, 256), "orchard": (256, 256), "weather": (320, 224)}


class LayeredCanvas(pictures.Canvas):
    """Keeps every stroke as a picture of its own: what it does to black and to white tells its colour and its alpha."""

    def __init__(self, width, height, top, bottom):
        super().__init__(width, height, top, bottom)
        self.strokes = [self.picture.convert("RGBA")]

    def paint(self, *args, **kwargs):
        self._keep(super().paint, args, kwargs)

    def shadow(self, *args, **kwargs):
        self._keep(super().shadow, args, kwargs)

    def _keep(self, stroke, args, kwargs):
        whole = self.picture
        stroke_on = []
        for level in (0, 255):
            self.picture = Image.new("RGB", whole.size, (level,) * 3)
            stroke(*args, **kwargs)
            stroke_on.append(np.asarray(self.picture).astype(float))
        self.picture = whole
        stroke(*args, **kwargs)
        black, white = stroke_on
        alpha = 1 - (white - black).mean(-1, keepdims=True) / 255
        color = np.divide(black, alpha, out=np.zeros_like(black), where=alpha > 0)
        rgba = np.concatenate([color, alpha * 255], -1)
        self.strokes.append(Image.fromarray(rgba.round().clip(0, 255).astype(np.uint8), "RGBA"))


def true_layers(name: str) -> list[Image.Image]:
    """At the size of the picture."""
    with mock.patch.object(pictures, "Canvas", LayeredCanvas):
        canvas = pictures.PICTURES[name][0]()
    background, *strokes = canvas.strokes
    if len(strokes) != sum(STROKES[name]):
        raise SystemExit(f"{name} has {len(strokes)} strokes, and STROKES shares out {sum(STROKES[name])}: say which layers they belong to")
    layers = []
    for count in STROKES[name]:
        layer = Image.new("RGBA", canvas.picture.size) if layers else background
        for stroke in strokes[:count]:
            layer = Image.alpha_composite(layer, stroke)
        layers.append(layer)
        strokes = strokes[count:]
    together = layers[0]
    for layer in layers[1:]:
        together = Image.alpha_composite(together, layer)
    apart = np.abs(np.asarray(together.convert("RGB"), int) - np.asarray(canvas.picture, int)).max()
    if apart > 3:  # each stroke rounds by a level at most
        raise SystemExit(f"{name}: its layers together are {apart} levels from the picture")
    return layers


def made_files() -> dict[Path, str | Image.Image]:
    """Everything by its path."""
    files: dict[Path, str | Image.Image] = {}
    for name, (_, prompt) in pictures.PICTURES.items():
        files[PICTURES / f"{name}.txt"] = prompt + "\n"
        for number, layer in enumerate(true_layers(name)):
            files[TRUTH / name / f"layer_{number}.png"] = layer.resize(SIZES[name], Image.LANCZOS)
    return files


def write(files: dict[Path, str | Image.Image]) -> None:
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8") if isinstance(content, str) else content.save(path, optimize=True)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


def find_differences(files: dict[Path, str | Image.Image]) -> list[str]:
    there = {*PICTURES.glob("*"), *TRUTH.glob("*/*")}
    drawn = {PICTURES / f"{name}.png": draw().picture for name, (draw, _) in pictures.PICTURES.items()}
    problems = [f"{path.relative_to(ROOT)}: not made any more" for path in sorted(there - files.keys() - drawn.keys())]
    for path, content in sorted((files | drawn).items()):
        if path not in there:
            problems.append(f"{path.relative_to(ROOT)}: missing")
        elif not (path.read_text("utf-8") == content if isinstance(content, str) else _same_picture(path, content)):
            problems.append(f"{path.relative_to(ROOT)}: differs")
    return problems


def _same_picture(path: Path, wanted: Image.Image) -> bool:
    """To a level of what is seen: shapes are computed in floating point, which another processor may round otherwise."""
    there = Image.open(path)
    return there.mode == wanted.mode and there.size == wanted.size and np.abs(_seen(there) - _seen(wanted)).max() <= 1.5


def _seen(image: Image.Image) -> np.ndarray:
    """Colours times alpha, and alpha."""
    pixels = np.asarray(image.convert("RGBA"), float)
    return np.concatenate([pixels[..., :3] * pixels[..., 3:] / 255, pixels[..., 3:]], -1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    files = made_files()
    if not args.check:
        write(files)
        return 0
    problems = find_differences(files)
    for problem in problems:
        print(problem)
    print(f"{len(files)} files and {len(pictures.PICTURES)} pictures made again, {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
