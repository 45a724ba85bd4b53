"""The part of tests/data/media/webp that make_media_fixtures.py writes: WebP pictures of every kind, and damaged ones."""

import io
import struct

import numpy as np
from PIL import Image

import minimal_png as png
from jpeg_fixtures import HEIGHT, WIDTH, smooth_colors
from media_samples import by_pillow, random_samples

ANIMATION, EXIF, ALPHA = 0x02, 0x08, 0x10  # flags of VP8X


def with_alpha(picture):
    alpha = random_samples("alpha", picture.width, picture.height, 1, 8)[..., 0]
    alpha[2:9, 3:12] = 255  # a patch that hides nothing, and one that hides all
    alpha[9:14] = 0
    result = picture.convert("RGBA")
    result.putalpha(Image.fromarray(alpha.astype(np.uint8)))
    return result


def encode(picture, **options):
    content = io.BytesIO()
    picture.save(content, "WEBP", **{"quality": 80, "method": 4, **options})
    return content.getvalue()


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def container(*chunks):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def number(value):
    return struct.pack("<I", value)[:3]


def extended(flags, width, height):
    return chunk(b"VP8X", struct.pack("<I", flags) + number(width - 1) + number(height - 1))


def bitstream(still):
    """The chunks of a picture without those around it."""
    place = 30 if still[12:16] == b"VP8X" else 12
    return still[place:]


def frame(still, x, y, width, height):
    place = number(x // 2) + number(y // 2) + number(width - 1) + number(height - 1)
    return chunk(b"ANMF", place + number(100) + b"\0" + bitstream(still))


def animated(flags, stills):
    """Frames that leave some of the canvas uncovered, the first at 4, 2."""
    chunks = [frame(still, 4 + 2 * i, 2, 9, 7) for i, still in enumerate(stills)]
    return container(extended(flags | ANIMATION, WIDTH, HEIGHT), chunk(b"ANIM", b"\x10\x20\x30\xff\0\0"), *chunks)


def kinds():
    colors, cutout = smooth_colors(), with_alpha(smooth_colors())
    yield "lossy", encode(colors)
    yield "lossy_alpha", encode(cutout)
    yield "lossless", encode(colors, lossless=True)
    yield "lossless_alpha", encode(cutout, lossless=True, exact=True)
    yield "lossless_palette", encode(colors.quantize(16).convert("RGB"), lossless=True)
    yield "pixel", encode(colors.crop((3, 3, 4, 4)))
    # Alpha in the pixels, none by the header: the header counts.
    hidden = bitstream(encode(cutout))
    yield "alpha_not_declared", container(extended(0, WIDTH, HEIGHT), hidden)


def orientations():
    colors = smooth_colors(5, 3)
    for value in range(1, 10):
        exif = png.exif_with_orientation(value, "<" if value % 2 else ">")
        yield f"orientation_{value}", encode(colors, lossless=True, exif=exif)
    mark_too = chunk(b"EXIF", b"Exif\0\0" + png.exif_with_orientation(6))
    still = bitstream(encode(colors, lossless=True))
    yield "orientation_6_with_mark", container(extended(EXIF, 5, 3), still, mark_too)


def animations():
    small = smooth_colors(9, 7)
    cutout = with_alpha(smooth_colors()).crop((0, 0, 9, 7))
    yield "animated", animated(0, [encode(small), encode(small, lossless=True)])
    yield "animated_alpha", animated(ALPHA, [encode(cutout), encode(small)])
    yield "animated_lossless_alpha", animated(ALPHA, [encode(cutout, lossless=True), encode(small)])


def damaged():
    whole = encode(smooth_colors(), lossless=True)
    lossy = encode(smooth_colors())
    yield "cut_in_header", whole[:20]
    yield "cut_in_pixels", whole[:200]
    yield "cut_frame", animated(0, [encode(smooth_colors(9, 7))] * 2)[:150]
    yield "broken_pixels", whole[:30] + bytes(len(whole) - 30)
    yield "short_pixels", container(chunk(b"VP8 ", lossy[20:120]))
    yield "no_frame", container(extended(ANIMATION, 5, 5), chunk(b"ANIM", bytes(6)))
    yield "frame_outside", container(extended(ANIMATION, 5, 5), chunk(b"ANIM", bytes(6)), frame(whole, 0, 0, WIDTH, HEIGHT))
    yield "other_canvas", container(extended(0, WIDTH + 1, HEIGHT), bitstream(whole))
    still = frame(whole, 0, 0, WIDTH, HEIGHT)
    yield "huge", container(extended(ANIMATION, 65501, 100), chunk(b"ANIM", bytes(6)), still)
    yield "bomb", container(extended(ANIMATION, 16384, 16384), chunk(b"ANIM", bytes(6)), still)
    yield "empty_canvas", container(chunk(b"VP8 ", lossy[20:26] + bytes(4) + lossy[30:]))
    yield "cut_in_start", whole[:10]


def files():
    for folder, pictures in (("webp", [*kinds(), *orientations()]), ("webp/animated", animations())):
        lines = []
        for name, content in pictures:
            expected = by_pillow(content)
            yield f"{folder}/{name}.webp", content
            yield f"{folder}/{name}.rgba", expected.tobytes()
            lines.append(f"{name} {expected.shape[1]} {expected.shape[0]}")
        yield f"{folder}/list.txt", "\n".join(lines + [""]).encode()
    for name, content in damaged():
        yield f"webp/damaged/{name}.webp", content
