"""The part of tests/data/media/bmp that make_media_fixtures.py writes: BMP pictures of every kind, and damaged ones."""

import struct

import numpy as np

import minimal_bmp as bmp
from media_samples import by_pillow, cases, random_samples

WIDTH, HEIGHT = 13, 7


def samples(name, bits, width=WIDTH, height=HEIGHT):
    return random_samples(name, width, height, 1, bits)[..., 0]


def palette(name, colors):
    return random_samples(name + " colors", colors, 1, 3, 8)[0]


def kinds():
    """As Pillow reads them."""
    for bits in (1, 4, 8):
        name = f"palette_{bits}"
        yield name, bmp.encode(samples(name, bits), bits, palette=palette(name, 1 << bits))
        yield name + "_core", bmp.encode(samples(name, bits), bits, header=bmp.CORE, palette=palette(name, 1 << bits))
    short = samples("short", 8) % 5
    yield "palette_8_short", bmp.encode(short, 8, palette=palette("short", 5))
    for bits, compression in ((4, bmp.RLE4), (8, bmp.RLE8)):
        runs = samples("runs", bits) * (samples("holes", 2) == 0)
        yield f"runs_{bits}", bmp.encode(runs, bits, palette=palette("runs", 1 << bits), compression=compression)
    for bits in (16, 24, 32):
        yield f"rgb_{bits}", bmp.encode(samples(f"rgb_{bits}", bits), bits)
        yield f"rgb_{bits}_from_top", bmp.encode(samples(f"rgb_{bits}", bits), bits, from_top=True)
    yield "rgb_24_core", bmp.encode(samples("rgb_24", 24), 24, header=bmp.CORE)
    yield "rgb_565", bmp.encode(samples("rgb_565", 16), 16, masks=(0xF800, 0x7E0, 0x1F))
    yield "rgbx", bmp.encode(samples("rgbx", 32), 32, header=bmp.V4, masks=(0xFF0000, 0xFF00, 0xFF, 0))
    for header in (bmp.V3, bmp.V4, bmp.V5):
        masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        yield f"rgba_{header}", bmp.encode(samples("rgba", 32), 32, header=header, masks=masks)
    yield "no_masks", bmp.encode(samples("rgba", 32), 32, header=bmp.V4, masks=(0, 0, 0, 0))
    yield "pixel", bmp.encode(samples("pixel", 24, 1, 1), 24)


def kinds_beyond_pillow():
    """With what they must look like."""
    colors = palette("palette_2", 4)
    indices = samples("palette_2", 2)
    yield "palette_2", bmp.encode(indices, 2, palette=colors), opaque(colors[indices])
    pixels = samples("rgb_444", 16)
    parts = [255 * (pixels >> shift & 15) // 15 for shift in (8, 4, 0, 12)]
    content = bmp.encode(pixels, 16, header=bmp.V4, masks=(0xF00, 0xF0, 0xF, 0xF000))
    yield "rgba_4444", content, np.dstack(parts).astype(np.uint8)
    # A jump over two pixels and a row, which keep the first color.
    runs = b"\x02\x01" + b"\0\2\2\1" + b"\x03\x02" + b"\0\0" + b"\0\0" + b"\x07\x03" + b"\0\1"
    colors = palette("jump", 256)
    content = bmp.encode(np.zeros((4, 7), int), 8, palette=colors, compression=bmp.RLE8)
    content = content[:14 + 40 + 1024] + runs
    indices = np.zeros((4, 7), int)
    indices[3, :2], indices[2, 4:7], indices[0] = 1, 2, 3
    yield "jump", content, opaque(colors[indices])


def opaque(colors):
    return np.dstack([colors, np.full(colors.shape[:2], 255)]).astype(np.uint8)


def damaged():
    whole = bmp.encode(samples("damaged", 24), 24)
    runs = bmp.encode(samples("damaged", 8), 8, palette=palette("damaged", 256), compression=bmp.RLE8)

    def changed(place, form, *values, of=whole):
        content = bytearray(of)
        struct.pack_into(form, content, place, *values)
        return bytes(content)

    yield "cut_in_start.bmp", whole[:10]
    yield "cut_in_header.bmp", whole[:40]
    yield "cut_in_pixels.bmp", whole[:-6]
    yield "cut_in_palette.bmp", runs[:200]
    yield "cut_in_runs.bmp", runs[:-20]
    yield "no_bits.bmp", changed(28, "<H", 0)
    yield "bad_masks.bmp", bmp.encode(samples("damaged", 32), 32, header=bmp.V4, masks=(0xFF00FF, 0xFF00, 0xFF, 0))
    yield "zero_height.bmp", changed(22, "<i", 0)
    yield "huge.bmp", changed(18, "<ii", 100_000, 10)
    yield "bomb.bmp", changed(18, "<ii", 16384, -16384)
    yield "holds_jpeg.bmp", changed(30, "<I", 4)
    yield "holds_png.bmp", changed(30, "<I", 5)
    yield "unknown_compression.bmp", changed(30, "<I", 11)


def files():
    pictures = [*((name, content, by_pillow(content)) for name, content in kinds()), *kinds_beyond_pillow()]
    yield from cases("bmp", "bmp", pictures)
    for name, content in damaged():
        yield f"bmp/damaged/{name}", content
