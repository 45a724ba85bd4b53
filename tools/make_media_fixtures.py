#!/usr/bin/env python3
"""Makes tests/data/media: small pictures of every kind, damaged ones, and what Pillow makes of them.

    python3 tools/make_media_fixtures.py            writes the folder again
    python3 tools/make_media_fixtures.py --check    compares it with what would be written; exit code 1 when it differs

Needs Pillow 13 and numpy. In every folder, list.txt names the cases: a line is a name, a width and a height, and for resize/
the picture to start from. NAME.rgba holds the expected pixels.
"""

import argparse
import io
import pathlib
import struct
import sys

import needs

needs.packages("numpy", "PIL")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

import avif_fixtures  # noqa: E402
import bmp_fixtures  # noqa: E402
import gif_fixtures  # noqa: E402
import heic_fixtures  # noqa: E402
import jpeg_fixtures  # noqa: E402
import minimal_png as png  # noqa: E402
import profile_fixtures  # noqa: E402
import tiff_fixtures  # noqa: E402
import webp_fixtures  # noqa: E402
from media_samples import by_pillow, random_samples  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "media"
WIDTH, HEIGHT = 13, 7  # odd, and not all passes of an interlaced picture are full


def kinds():
    """(name, content, interlaced content, expected pixels) of every kind of PNG."""
    for depth in (1, 2, 4, 8, 16):
        yield kind(f"grey_{depth}", depth, png.GREY)
        yield kind(f"grey_{depth}_key", depth, png.GREY, with_key=True)
    for depth in (8, 16):
        yield kind(f"rgb_{depth}", depth, png.RGB)
        yield kind(f"rgb_{depth}_key", depth, png.RGB, with_key=True)
        yield kind(f"grey_alpha_{depth}", depth, png.GREY_ALPHA)
        yield kind(f"rgba_{depth}", depth, png.RGBA)
    for depth in (1, 2, 4, 8):
        yield kind(f"palette_{depth}", depth, png.PALETTE)
        yield kind(f"palette_{depth}_alpha", depth, png.PALETTE, with_alpha=True)
    yield kind("palette_8_one_clear", 8, png.PALETTE, alpha=[255, 255, 0, 255])
    yield kind("palette_8_short", 8, png.PALETTE, colors=100, with_alpha=True)  # indices beyond the palette are black


def kind(name, depth, color_type, with_key=False, with_alpha=False, alpha=None, colors=None):
    samples = random_samples(name, WIDTH, HEIGHT, png.CHANNELS[color_type], depth)
    key = None
    if with_key:
        key = np.maximum(samples[2, 3], 1)
        samples[2, 3] = samples[5, 11] = key
        samples[0, 0] = key ^ 1  # not the key, though its high byte is the same
    palette = None
    if color_type == png.PALETTE:
        colors = colors or 1 << depth
        palette = random_samples(name + " colors", colors, 1, 3, 8)[0]
        if with_alpha:
            alpha = random_samples(name + " alpha", max(colors * 3 // 4, 1), 1, 1, 8).ravel().tolist()
    options = dict(palette=palette, transparency=alpha if color_type == png.PALETTE else key)
    plain, interlaced = (png.encode(samples, depth, color_type, interlaced=i, **options) for i in (False, True))
    expected = by_pillow(plain)
    if png.lost_by_pillow(depth, color_type, with_key):
        right = png.expected_rgba(samples, depth, color_type, key)
        assert not np.array_equal(right, expected), f"Pillow now reads {name} as PNG says: take it off the exceptions"
        expected = right
    else:
        assert np.array_equal(by_pillow(interlaced), expected)
    return name, plain, interlaced, expected


def orientations():
    samples = random_samples("orientation", 5, 3, 3, 8)
    for value in range(1, 9):
        exif = png.exif_with_orientation(value, "<" if value % 2 else ">")
        yield f"orientation_{value}", png.encode(samples, 8, png.RGB, exif=exif)
    exif = png.exif_with_orientation(6)
    yield "orientation_6_after_pixels", png.encode(samples, 8, png.RGB, exif=exif, exif_last=True)
    yield "orientation_9", png.encode(samples, 8, png.RGB, exif=png.exif_with_orientation(9))


def animations():
    """(name, content): its pixels are the first frame, or stand for readers that know no animation."""
    samples = random_samples("animated", WIDTH, HEIGHT, 3, 8)
    whole = png.encode(samples, 8, png.RGB)
    control = png.chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0))
    pixels, end = whole.index(b"IDAT") - 4, len(whole) - 12
    for name, frames, before in (("first_frame", 2, control), ("still_picture", 2, b""), ("one_frame", 1, control)):
        behind = png.chunk(b"fdAT", struct.pack(">I", 1) + bytes(20))
        count = png.chunk(b"acTL", struct.pack(">II", frames, 0))
        yield name, whole[:pixels] + count + before + whole[pixels:end] + behind + whole[end:]
    yield "lost_head", whole[:end] + png.chunk(b"acTL", struct.pack(">II", 2, 0)) + whole[end:]


def damaged():
    whole = png.encode(random_samples("damaged", WIDTH, HEIGHT, 3, 8), 8, png.RGB)
    pixels = whole.index(b"IDAT") + 4
    wrong_checksum = bytearray(whole)
    wrong_checksum[whole.index(b"IEND") - 5] ^= 1
    keyed = bytearray(png.encode(random_samples("damaged", WIDTH, HEIGHT, 3, 8), 8, png.RGB, transparency=[1, 2, 3]))
    keyed[keyed.index(b"tRNS") + 5] ^= 1
    few_rows = png.encode(random_samples("damaged", WIDTH, HEIGHT - 2, 3, 8), 8, png.RGB)
    few_rows = few_rows.replace(png.header(WIDTH, HEIGHT - 2, 8, png.RGB), png.header(WIDTH, HEIGHT, 8, png.RGB))
    jpeg = io.BytesIO()
    Image.new("RGB", (2, 2)).save(jpeg, "JPEG")
    body = whole[len(png.SIGNATURE) + len(png.header(1, 1, 8, png.RGB)):]
    yield "empty.png", b""
    yield "cut_in_signature.png", whole[:5]
    yield "cut_in_header.png", whole[:20]
    yield "cut_in_pixels.png", whole[:pixels + 100]
    yield "cut_before_end.png", whole[:-12]
    yield "wrong_checksum.png", bytes(wrong_checksum)
    yield "flipped_bit_in_key.png", bytes(keyed)
    yield "few_rows.png", few_rows
    yield "no_palette.png", png.encode(random_samples("damaged", 4, 4, 1, 8), 8, png.PALETTE)
    yield "zero_width.png", png.SIGNATURE + png.header(0, 5, 8, png.RGB) + body
    yield "huge.png", png.SIGNATURE + png.header(65501, 100, 8, png.RGB) + body
    # Sides that are allowed, but more pixels than that.
    yield "bomb.png", png.SIGNATURE + png.header(16384, 16384, 1, png.GREY) + body
    yield "text_mode.png", whole.replace(b"\r\n", b"\n")
    yield "jpeg.png", jpeg.getvalue()
    yield "jxl.png", b"\xff\x0a" + bytes(20)
    yield "noise.png", bytes(range(100, 200))


def resize_inputs():
    """Pictures to resize, by name: RGBA arrays."""
    noise = random_samples("noise", 37, 29, 4, 8).astype(np.uint8)
    y, x = np.mgrid[0:48, 0:64]
    waves = np.stack([128 + 127 * np.sin(x / 5), 128 + 127 * np.cos(y / 7), (x * 3 + y) % 256, 4 * x], axis=2)
    cutout = noise.copy()
    cutout[..., 3] = np.where(noise[..., 3] > 128, 255, 0)
    return {
        "noise": noise,
        "waves": waves.astype(np.uint8),
        "cutout": cutout,
        "opaque": np.concatenate([noise[..., :3], np.full((29, 37, 1), 255, np.uint8)], axis=2),
        "pixel": np.array([[[200, 100, 50, 128]]], np.uint8),
        "column": noise[:, :1],
    }


RESIZES = [
    ("noise", 23, 17), ("noise", 61, 50), ("noise", 37, 12), ("noise", 15, 29), ("noise", 1, 1), ("noise", 1, 29),
    ("noise", 37, 1), ("noise", 37, 29), ("noise", 74, 5), ("waves", 32, 32), ("waves", 33, 47), ("waves", 65, 49),
    ("cutout", 20, 20), ("cutout", 50, 31), ("opaque", 24, 40), ("pixel", 5, 3), ("pixel", 1, 4), ("column", 4, 29),
    ("column", 3, 7),
    # These lose more than twice as many rows as columns, or just not: Pillow 13 begins with the columns, or with the rows.
    ("waves", 60, 39), ("waves", 60, 40), ("waves", 70, 47), ("waves", 70, 20),
]


def files():
    """Every file of the folder: path below it, content."""
    lines = []
    for name, plain, interlaced, expected in kinds():
        yield f"kinds/{name}.png", plain
        yield f"kinds/{name}_interlaced.png", interlaced
        yield f"kinds/{name}.rgba", expected.tobytes()
        lines.append(f"{name} {WIDTH} {HEIGHT}")
    yield "kinds/list.txt", "\n".join(lines + [""]).encode()
    lines = []
    for name, content in orientations():
        expected = by_pillow(content)
        yield f"orientations/{name}.png", content
        yield f"orientations/{name}.rgba", expected.tobytes()
        lines.append(f"{name} {expected.shape[1]} {expected.shape[0]}")
    yield "orientations/list.txt", "\n".join(lines + [""]).encode()
    for name, content in animations():
        yield f"animated/{name}.png", content
    for name, content in damaged():
        yield f"damaged/{name}", content
    inputs = resize_inputs()
    for name, pixels in inputs.items():
        yield f"resize/{name}.png", png.encode(pixels.astype(np.int64), 8, png.RGBA)
    lines = []
    for source, width, height in RESIZES:
        picture = Image.fromarray(inputs[source], "RGBA").resize((width, height), Image.LANCZOS)
        yield f"resize/{source}_{width}x{height}.rgba", picture.tobytes()
        lines.append(f"{source}_{width}x{height} {width} {height} {source}")
    yield "resize/list.txt", "\n".join(lines + [""]).encode()
    yield from jpeg_fixtures.files()
    yield from webp_fixtures.files()
    yield from gif_fixtures.files()
    yield from bmp_fixtures.files()
    yield from tiff_fixtures.files()
    yield from avif_fixtures.files()
    yield from heic_fixtures.files()
    yield from profile_fixtures.files()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    check = parser.parse_args().check
    wanted = dict(files())
    present = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*") if path.is_file()}
    if check:
        differing = sorted(name for name in wanted.keys() | present.keys()
                           if name not in wanted or name not in present or present[name].read_bytes() != wanted[name])
        for name in differing:
            print("differs:", name)
        print(f"{len(wanted)} files, {len(differing)} differ")
        return 1 if differing else 0
    for name in present.keys() - wanted.keys():
        present[name].unlink()
    for name, content in wanted.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_bytes(content)
    print(f"{len(wanted)} files, {sum(map(len, wanted.values()))} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
