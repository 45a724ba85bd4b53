#!/usr/bin/env python3
"""The part of tests/data/media/avif that make_media_fixtures.py writes: AVIF pictures of every kind, and damaged ones.

Those of KEPT, which Pillow cannot write, and the animation are read from the folder as they are. They were made by this, with
avifenc 0.11:

    python3 tools/avif_fixtures.py
"""

import io
import pathlib
import subprocess
import tempfile

import needs

needs.packages("numpy", "PIL")

from PIL import Image  # noqa: E402

import minimal_png as png  # noqa: E402
from jpeg_fixtures import smooth_colors  # noqa: E402
from media_samples import by_pillow, cases  # noqa: E402
from webp_fixtures import with_alpha  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "media" / "avif"
# The rotation (irot) and the mirror (imir) of every orientation, and more bits.
KEPT = {"ten_bits": ["-d", "10"], "twelve_bits": ["-d", "12"]}
KEPT |= {f"irot_{angle}": ["--irot", str(angle)] for angle in range(4)}
KEPT |= {f"irot_{angle}_imir_{mode}": ["--irot", str(angle), "--imir", str(mode)] for angle in range(4) for mode in range(2)}


def encode(picture, **options):
    content = io.BytesIO()
    picture.save(content, "AVIF", **{"quality": 80, "speed": 8, "max_threads": 1, "subsampling": "4:4:4", **options})
    return content.getvalue()


def kept(name):
    return (FOLDER / f"{name}.avif").read_bytes()


def kinds():
    colors, cutout = smooth_colors(), with_alpha(smooth_colors())
    for subsampling in ("4:2:0", "4:2:2", "4:4:4"):
        for range_ in ("full", "limited"):
            name = f"rgb_{subsampling.replace(':', '')}_{range_}"
            yield name, encode(colors, subsampling=subsampling, range=range_)
    yield "alpha", encode(cutout)
    yield "alpha_premultiplied", encode(cutout, alpha_premultiplied=True)
    yield "grey", encode(colors.convert("L"), subsampling="4:0:0")
    yield "pixel", encode(colors.crop((3, 3, 4, 4)))
    small = smooth_colors(5, 3)
    for value in (1, 6, 8):  # Pillow writes them as irot and imir, and not as EXIF
        yield f"orientation_{value}", encode(small, exif=b"Exif\0\0" + png.exif_with_orientation(value))
    for name in KEPT:
        yield name, kept(name)


def animations():
    yield "animated", kept("animated/animated")  # it holds the time when it was made


def damaged():
    whole = encode(smooth_colors())
    pixels = whole.index(b"mdat") + 4
    yield "cut_in_start.avif", whole[:20]
    yield "cut_in_boxes.avif", whole[:100]
    yield "cut_in_pixels.avif", whole[:pixels + 50]
    yield "broken_pixels.avif", whole[:pixels] + bytes(len(whole) - pixels)
    size = whole.index(b"ispe") + 8
    for name, width, height in (("huge", 100_000, 19), ("bomb", 16384, 16383), ("no_width", 0, 19)):
        yield f"{name}.avif", whole[:size] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + whole[size + 8:]


def files():
    for folder, pictures in (("avif", kinds()), ("avif/animated", animations())):
        yield from cases(folder, "avif", ((name, content, by_pillow(content)) for name, content in pictures))
    for name, content in damaged():
        yield f"avif/damaged/{name}", content


def make_kept():
    (FOLDER / "animated").mkdir(parents=True, exist_ok=True)
    first, second = smooth_colors(), smooth_colors().transpose(Image.Transpose.ROTATE_180)
    (FOLDER / "animated" / "animated.avif").write_bytes(encode(first, save_all=True, append_images=[second]))
    with tempfile.TemporaryDirectory() as folder:
        for name, options in KEPT.items():
            picture = smooth_colors() if "bits" in name else smooth_colors(5, 3)
            source = pathlib.Path(folder, "source.png")
            picture.save(source)
            subprocess.run(["avifenc", "-y", "444", "--min", "0", "--max", "20", "-s", "8", "-j", "1", *options, source,
                            FOLDER / f"{name}.avif"], check=True, capture_output=True)


if __name__ == "__main__":
    make_kept()
