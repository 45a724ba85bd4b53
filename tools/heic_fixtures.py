#!/usr/bin/env python3
"""The part of tests/data/media/heic that make_media_fixtures.py writes: HEIC pictures of every kind, and damaged ones.

The HEIC files themselves, and what pillow-heif makes of them, are read from the folder as they are: no two versions of the encoder
write the same. They were made by this, with pillow-heif 1.8.1:

    python3 tools/heic_fixtures.py
"""

import io
import pathlib

import needs

needs.packages("numpy", "PIL")

import numpy as np  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402

import minimal_png as png  # noqa: E402
import profile_fixtures  # noqa: E402
from jpeg_fixtures import smooth_colors  # noqa: E402
from webp_fixtures import with_alpha  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "media" / "heic"


def encode(picture, **options):
    content = io.BytesIO()
    picture.save(content, "HEIF", **{"quality": 80, "chroma": 444, **options})
    return content.getvalue()


def made():
    import pillow_heif
    pillow_heif.register_heif_opener()
    colors, cutout = smooth_colors(64, 64), with_alpha(smooth_colors(64, 64))
    for chroma in (420, 422, 444):
        yield f"rgb_{chroma}", encode(colors, chroma=chroma)
    yield "alpha", encode(cutout)
    yield "odd_size", encode(smooth_colors(33, 21))
    for value in range(1, 9):  # written as irot and imir too
        yield f"orientation_{value}", encode(smooth_colors(20, 12), exif=b"Exif\0\0" + png.exif_with_orientation(value))
    wide = np.asarray(colors).astype(np.uint16) * 257
    content = io.BytesIO()
    pillow_heif.encode("RGB;16", colors.size, wide.tobytes(), content, quality=80, chroma=444)
    yield "ten_bits", content.getvalue()
    yield "several", encode(colors, save_all=True, append_images=[smooth_colors(20, 12)])
    yield "wide", encode(colors, icc_profile=profile_fixtures.WIDE)


def by_pillow_heif(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGBA"))


def damaged():
    whole = (FOLDER / "rgb_444.heic").read_bytes()
    pixels = whole.index(b"mdat") + 4
    yield "cut_in_start.heic", whole[:14]
    yield "cut_in_boxes.heic", whole[:100]
    yield "cut_in_pixels.heic", whole[:pixels + 200]
    yield "broken_pixels.heic", whole[:pixels] + bytes(len(whole) - pixels)
    size = b"ispe\0\0\0\0" + (64).to_bytes(4, "big") + (64).to_bytes(4, "big")
    for name, width, height in (("huge", 100_000, 64), ("bomb", 16384, 16383)):
        yield f"{name}.heic", whole.replace(size, size[:8] + width.to_bytes(4, "big") + height.to_bytes(4, "big"))


def files():
    for path in sorted(FOLDER.glob("*")):
        if path.is_file():
            yield f"heic/{path.name}", path.read_bytes()
    for name, content in damaged():
        yield f"heic/damaged/{name}", content


def make():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*"):
        if path.is_file():
            path.unlink()
    lines = []
    for name, content in made():
        expected = by_pillow_heif(content)
        if name == "wide":
            expected = np.dstack([profile_fixtures.colors_in_srgb(expected, profile_fixtures.WIDE), expected[..., 3]])
        (FOLDER / f"{name}.heic").write_bytes(content)
        (FOLDER / f"{name}.rgba").write_bytes(np.ascontiguousarray(expected).tobytes())
        lines.append(f"{name} {expected.shape[1]} {expected.shape[0]}")
    (FOLDER / "list.txt").write_text("\n".join(lines + [""]))


if __name__ == "__main__":
    make()
