"""The part of tests/data/media/jpeg that make_media_fixtures.py writes: JPEG pictures of every kind, and damaged ones."""

import io
import struct

import numpy as np
from PIL import Image

import minimal_png as png
from media_samples import by_pillow, random_samples

WIDTH, HEIGHT = 21, 19  # two by two blocks at 4:2:0, none but the first full
START, END = b"\xff\xd8", b"\xff\xd9"


def smooth_colors(width=WIDTH, height=HEIGHT):
    """Ramps with some noise: edges for the upsampling, and frequencies for the transform."""
    y, x = np.mgrid[0:height, 0:width]
    ramps = np.stack([x * 255 // width, y * 255 // height, 255 - x * 255 // width], axis=2)
    noisy = ramps + random_samples("smooth colors", width, height, 3, 6) - 32
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def encode(picture, **options):
    content = io.BytesIO()
    picture.save(content, "JPEG", **{"quality": 80, **options})
    return content.getvalue()


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def after_start(jpeg, *segments):
    return START + b"".join(segments) + jpeg[2:]


def with_frame(jpeg, offset, content, marker=0xC0):
    """Writes `content` at `offset` of the frame header: 4 its precision, 5 height, 7 width, 9 components."""
    place = jpeg.index(bytes([0xFF, marker]))
    return jpeg[:place + offset] + content + jpeg[place + offset + len(content):]


def scan_start(jpeg):
    place = jpeg.index(b"\xff\xda")
    return place + 2 + struct.unpack(">H", jpeg[place + 2:place + 4])[0]


def kinds():
    colors = smooth_colors()
    yield "grey", encode(colors.convert("L"))
    yield "grey_progressive", encode(colors.convert("L"), progressive=True)
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        name = "color_" + sampling.replace(":", "")
        yield name, encode(colors, subsampling=sampling)
        yield name + "_progressive", encode(colors, subsampling=sampling, progressive=True)
    # Pillow writes no 4:4:0. With sides of 16 a 4:2:2 file has as many blocks, so its header may say so.
    half = encode(smooth_colors(16, 16), subsampling="4:2:2")
    yield "color_440", with_frame(half, 11, b"\x12")
    yield "color_420_restart", encode(colors, subsampling="4:2:0", restart_marker_blocks=1)
    yield "color_low_quality", encode(colors, quality=5)
    yield "rgb", encode(colors, keep_rgb=True)
    yield "pixel", encode(colors.crop((3, 3, 4, 4)))


def orientations():
    colors = smooth_colors(5, 3)
    for value in range(1, 10):
        exif = b"Exif\0\0" + png.exif_with_orientation(value, "<" if value % 2 else ">")
        yield f"orientation_{value}", encode(colors, exif=exif)
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    exif = segment(0xE1, b"Exif\0\0" + png.exif_with_orientation(6))
    yield "orientation_6_after_xmp", after_start(encode(colors), xmp, exif)


def damaged():
    whole = encode(smooth_colors(), subsampling="4:2:0")
    progressive = encode(smooth_colors(), subsampling="4:2:0", progressive=True)
    restarts = encode(smooth_colors(), subsampling="4:2:0", restart_marker_blocks=1)
    cmyk = encode(smooth_colors(8, 8).convert("CMYK"))
    scan = scan_start(whole)
    yield "cut_in_header", whole[:30]
    yield "cut_in_scan", whole[:scan + 40]
    yield "cut_in_later_scan", progressive[:-20]
    yield "cut_before_end", whole[:-2]
    yield "short_scan", whole[:scan + 40] + END
    yield "bad_code", whole[:scan] + b"\xff\0" * 40 + END
    yield "wrong_restart", restarts.replace(b"\xff\xd1", b"\xff\xd5")
    yield "no_picture", START + END
    yield "zero_height", with_frame(whole, 5, struct.pack(">H", 0))
    yield "huge", with_frame(whole, 5, struct.pack(">HH", 100, 65501))
    yield "gigantic", with_frame(whole, 5, struct.pack(">HH", 65501, 100))
    yield "bomb", with_frame(whole, 5, struct.pack(">HH", 16384, 16384))
    yield "cut_in_start", whole[:2]
    first_scan = progressive.index(b"\xff\xda")
    second = progressive.index(b"\xff\xc4", first_scan)  # begins with its table
    yield "many_scans", progressive[:second] + progressive[first_scan:second] * 100 + progressive[second:]
    yield "twelve_bits", with_frame(whole, 4, b"\x0c")
    yield "lossless", with_frame(whole, 1, b"\xc3")
    yield "cmyk", cmyk
    adobe = cmyk.index(b"Adobe")
    yield "ycck", cmyk[:adobe + 11] + b"\2" + cmyk[adobe + 12:]
    yield "padded", whole[:-2] + bytes(40) + END


def files():
    lines = []
    for name, content in [*kinds(), *orientations()]:
        expected = by_pillow(content)
        yield f"jpeg/{name}.jpg", content
        yield f"jpeg/{name}.rgba", expected.tobytes()
        lines.append(f"{name} {expected.shape[1]} {expected.shape[0]}")
    yield "jpeg/list.txt", "\n".join(lines + [""]).encode()
    for name, content in damaged():
        yield f"jpeg/damaged/{name}.jpg", content
