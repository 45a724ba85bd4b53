"""The part of tests/data/media/tiff that make_media_fixtures.py writes: TIFF pictures of every kind, and damaged ones."""

import io
import struct

import numpy as np
from PIL import Image

import minimal_tiff as tiff
from jpeg_fixtures import smooth_colors
from media_samples import by_pillow, cases, random_samples

WIDTH, HEIGHT = 21, 19


def samples(name, count, bits, width=WIDTH, height=HEIGHT):
    return random_samples(name, width, height, count, bits)


def page(name, count, bits, photometric, **options):
    return dict(samples=samples(name, count, bits), bits=bits, photometric=photometric, **options)


def palette(name, bits):
    return random_samples(name + " colors", 1 << bits, 1, 3, 16)[0]


def by_libtiff(picture, compression, **options):
    content = io.BytesIO()
    picture.save(content, "TIFF", compression=compression, **options)
    return content.getvalue()


def kinds():
    """As Pillow reads them."""
    for bits in (1, 2, 4, 8):
        yield f"grey_{bits}", tiff.encode([page("grey", 1, bits, tiff.BLACK_IS_ZERO)])
        yield f"negative_{bits}", tiff.encode([page("grey", 1, bits, tiff.WHITE_IS_ZERO)], ">")
        yield f"palette_{bits}", tiff.encode([page("palette", 1, bits, tiff.PALETTE, palette=palette("palette", bits))])
    for order, name in (("<", "little"), (">", "big")):
        yield f"rgb_16_{name}", tiff.encode([page("rgb", 3, 16, tiff.RGB)], order)
    for extra in (0, 1, 2):
        for bits in (8, 16):
            yield f"rgb_{bits}_extra_{extra}", tiff.encode([page("rgba", 4, bits, tiff.RGB, extras=[extra])])
    yield "rgb_8_two_extras", tiff.encode([page("five", 5, 8, tiff.RGB, extras=[2, 0])])
    yield "rgb_8_four_samples", tiff.encode([page("rgba", 4, 8, tiff.RGB)])
    yield "grey_alpha", tiff.encode([page("grey alpha", 2, 8, tiff.BLACK_IS_ZERO, extras=[2])])
    yield "strips", tiff.encode([page("rgb", 3, 8, tiff.RGB, rows=4)])
    yield "tiles", tiff.encode([page("rgb", 3, 8, tiff.RGB, tile=(16, 16))])
    yield "large_tile", tiff.encode([page("rgb", 3, 8, tiff.RGB, tile=(64, 32))])
    yield "planes", tiff.encode([page("rgb", 3, 8, tiff.RGB, planar=True, rows=5)])
    yield "planes_alpha", tiff.encode([page("rgba", 4, 8, tiff.RGB, planar=True, extras=[2])])
    yield "reversed_bits", tiff.encode([page("grey", 1, 1, tiff.BLACK_IS_ZERO, reverse=True)])
    colors = smooth_colors()
    yield "lzw", by_libtiff(colors, "tiff_lzw")
    yield "deflate", by_libtiff(colors, "tiff_adobe_deflate")
    yield "packbits", by_libtiff(colors, "packbits")
    yield "jpeg", by_libtiff(colors, "jpeg", quality=80)
    yield "jpeg_grey", by_libtiff(colors.convert("L"), "jpeg", quality=80)
    yield "fax_3", by_libtiff(colors.convert("1"), "group3")
    yield "fax_4", by_libtiff(colors.convert("1"), "group4")
    yield "lzw_ycbcr", by_libtiff(colors.convert("YCbCr"), "tiff_lzw")
    yield "big_tiff", by_libtiff(colors, "tiff_lzw", big_tiff=True)
    for value in range(1, 9):
        turned = dict(samples=samples("turned", 3, 8, 5, 3), bits=8, photometric=tiff.RGB,
                      more=[(tiff.ORIENTATION, tiff.SHORT, [value])])
        yield f"orientation_{value}", tiff.encode([turned], "<>"[value % 2])


def kinds_beyond_pillow():
    """With what they must look like."""
    grey = samples("grey 16", 1, 16)
    high = (grey >> 8)[..., 0]
    yield "grey_16", tiff.encode([page("grey 16", 1, 16, tiff.BLACK_IS_ZERO)]), opaque(np.dstack([high] * 3))
    yield "negative_16", tiff.encode([page("grey 16", 1, 16, tiff.WHITE_IS_ZERO)]), opaque(np.dstack([255 - high] * 3))
    bytes_only = palette("palette", 4) >> 8  # as old programs wrote it: Pillow sees black
    indices = samples("palette", 1, 4)[..., 0]
    content = tiff.encode([page("palette", 1, 4, tiff.PALETTE, palette=bytes_only)])
    yield "palette_of_bytes", content, opaque(bytes_only[indices])
    planes = samples("rgb", 3, 16)
    yield "planes_16", tiff.encode([page("rgb", 3, 16, tiff.RGB, planar=True, tile=(16, 16))]), opaque(planes >> 8)


def opaque(colors):
    return np.dstack([colors, np.full(colors.shape[:2], 255)]).astype(np.uint8)


def pages():
    one = page("rgb", 3, 8, tiff.RGB)
    small = dict(samples=samples("small", 3, 8, 4, 4), bits=8, photometric=tiff.RGB)
    copy = dict(small, more=[(tiff.KIND, tiff.LONG, [1])])
    yield "two_pages", tiff.encode([one, small])
    yield "copy_and_page", tiff.encode([one, copy, small])


def damaged():
    whole = tiff.encode([page("rgb", 3, 8, tiff.RGB)])
    lzw = by_libtiff(smooth_colors(), "tiff_lzw")

    def changed(tag, value, of=whole, kind=None):
        """The first value of a tag in the directory, which lies at 8."""
        content = bytearray(of)
        start = struct.unpack_from("<I", content, 4)[0]
        for i in range(struct.unpack_from("<H", content, start)[0]):
            place = start + 2 + 12 * i
            if struct.unpack_from("<H", content, place)[0] == tag:
                struct.pack_into("<I", content, place + 8, value)
                return bytes(content)
        raise KeyError(tag)

    yield "cut_in_start.tif", whole[:6]
    yield "cut_in_directory.tif", whole[:60]
    yield "cut_in_pixels.tif", whole[:-10]
    yield "no_pixels.tif", changed(tiff.OFFSETS, 1 << 30)
    bad_code = bytearray(lzw)
    bad_code[60:90] = bytes(range(100, 130))
    yield "bad_code.tif", bytes(bad_code)
    yield "zero_width.tif", changed(tiff.WIDTH, 0)
    yield "huge.tif", changed(tiff.WIDTH, 100_000)
    yield "bomb.tif", changed(tiff.HEIGHT, 16384, changed(tiff.WIDTH, 16384))
    yield "cmyk.tif", tiff.encode([page("cmyk", 4, 8, 5)])
    yield "lab.tif", tiff.encode([page("lab", 3, 8, 8)])
    yield "float.tif", tiff.encode([page("grey", 1, 16, tiff.BLACK_IS_ZERO, more=[(tiff.FORMAT, tiff.SHORT, [3])])])
    yield "signed.tif", tiff.encode([page("grey", 1, 8, tiff.BLACK_IS_ZERO, more=[(tiff.FORMAT, tiff.SHORT, [2])])])
    yield "lzma.tif", changed(tiff.COMPRESSION, 34925)
    yield "unknown_compression.tif", changed(tiff.COMPRESSION, 12345)
    yield "no_palette.tif", tiff.encode([page("palette", 1, 4, tiff.PALETTE)])
    yield "many_samples.tif", tiff.encode([page("many", 9, 8, tiff.RGB, extras=[0] * 6)])


def files():
    pictures = [*((name, content, by_pillow(content)) for name, content in kinds()), *kinds_beyond_pillow()]
    yield from cases("tiff", "tif", pictures)
    yield from cases("tiff/pages", "tif", ((name, content, by_pillow(content)) for name, content in pages()))
    for name, content in damaged():
        yield f"tiff/damaged/{name}", content
