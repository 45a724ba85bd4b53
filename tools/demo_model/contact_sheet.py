"""Puts an input, its layers on a checkerboard and their composite side by side, one picture a row.

    PYTHONPATH=tools python3 -m demo_model.contact_sheet --out sheet.png PICTURE FOLDER [PICTURE FOLDER ...]

Each FOLDER is one that layerpipe wrote: layer_0.png …, composite.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import needs

if __name__ == "__main__":
    needs.packages("PIL")

from PIL import Image  # noqa: E402

GAP, SQUARE = 6, 12
PAPER, LIGHT, DARK = (255, 255, 255), (236, 236, 236), (204, 204, 204)


def on_checkerboard(layer: Image.Image) -> Image.Image:
    board = Image.new("RGB", layer.size, LIGHT)
    for top in range(0, layer.height, SQUARE):
        for left in range(top // SQUARE % 2 * SQUARE, layer.width, 2 * SQUARE):
            board.paste(DARK, (left, top, left + SQUARE, top + SQUARE))
    board.paste(layer, (0, 0), layer.getchannel("A"))
    return board


def row(picture: Image.Image, layers: list[Image.Image], composite: Image.Image) -> Image.Image:
    size = layers[0].size
    tiles = [on_checkerboard(picture.convert("RGBA").resize(size, Image.LANCZOS))]
    tiles += [on_checkerboard(layer.convert("RGBA")) for layer in [*layers, composite]]
    sheet = Image.new("RGB", ((size[0] + GAP) * len(tiles) + GAP, size[1] + 2 * GAP), PAPER)
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (GAP + place * (size[0] + GAP), GAP))
    return sheet


def stack(rows: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (max(r.width for r in rows), sum(r.height for r in rows)), PAPER)
    top = 0
    for r in rows:
        sheet.paste(r, (0, top))
        top += r.height
    return sheet


def folder_row(picture: Path, folder: Path) -> Image.Image:
    files = sorted(folder.glob("layer_*.png"), key=lambda file: int(file.stem.removeprefix("layer_")))
    return row(Image.open(picture), [Image.open(file) for file in files], Image.open(folder / "composite.png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("pairs", nargs="+", type=Path, metavar="PICTURE FOLDER")
    args = parser.parse_args()
    if len(args.pairs) % 2:
        parser.error("a picture and a folder each")
    stack([folder_row(*pair) for pair in zip(args.pairs[::2], args.pairs[1::2])]).save(args.out, optimize=True)


if __name__ == "__main__":
    main()
