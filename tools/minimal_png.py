"""A PNG encoder for tests: it writes every kind of PNG there is, which Pillow does not.

Pixel data are stored, not compressed, so that the bytes do not depend on the version of zlib. Numpy is all it needs.
"""

import struct
import zlib

import numpy as np

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# First column, first row, step of columns, step of rows.
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def header(width, height, depth, color_type, interlaced=False):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, int(interlaced)))


def pack_rows(samples, depth):
    """The rows of samples [height, width, channels], each with filter type 0 before it."""
    rows = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        packed = rows.astype(">u2").view(np.uint8)
    elif depth == 8:
        packed = rows.astype(np.uint8)
    else:
        bits = (rows[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        packed = np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def pixel_bytes(samples, depth, interlaced):
    if not interlaced:
        return pack_rows(samples, depth)
    passes = [samples[y::step_y, x::step_x] for x, y, step_x, step_y in ADAM7]
    return b"".join(pack_rows(part, depth) for part in passes if part.size)


def encode(samples, depth, color_type, *, palette=None, transparency=None, exif=None, exif_last=False, interlaced=False):
    """samples: [height, width, channels], integers of `depth` bits. palette: [n, 3]. transparency: the content of tRNS, as
    bytes of alpha for a palette, else one sample per channel. exif: the content of eXIf, before or after the pixels."""
    height, width, channels = samples.shape
    assert channels == CHANNELS[color_type] and samples.max() < 1 << depth
    chunks = [header(width, height, depth, color_type, interlaced)]
    if palette is not None:
        chunks.append(chunk(b"PLTE", np.asarray(palette, np.uint8).tobytes()))
    if transparency is not None:
        content = bytes(transparency) if color_type == PALETTE else np.asarray(transparency, ">u2").tobytes()
        chunks.append(chunk(b"tRNS", content))
    if exif is not None and not exif_last:
        chunks.append(chunk(b"eXIf", exif))
    chunks.append(chunk(b"IDAT", zlib.compress(pixel_bytes(samples, depth, interlaced), 0)))
    if exif is not None and exif_last:
        chunks.append(chunk(b"eXIf", exif))
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def exif_with_orientation(value, order="<"):
    """A TIFF block whose one directory holds a width (to be passed over) and the orientation."""
    mark = b"II" if order == "<" else b"MM"
    entries = struct.pack(order + "HHIHH", 0x0100, 3, 1, 7, 0) + struct.pack(order + "HHIHH", 0x0112, 3, 1, value, 0)
    return mark + struct.pack(order + "HIH", 42, 8, 2) + entries + struct.pack(order + "I", 0)


def expected_rgba(samples, depth, color_type, key=None):
    """What PNG says that grey and RGB samples look like, 8 bits of each: [height, width, 4]. For what Pillow 13 loses."""
    scaled = samples >> 8 if depth == 16 else samples * 255 // ((1 << depth) - 1)
    color = np.repeat(scaled, 3, axis=2) if color_type == GREY else scaled
    opaque = np.ones(samples.shape[:2], bool) if key is None else (samples != np.asarray(key)).any(axis=2)
    return np.concatenate([color, opaque[..., None] * 255], axis=2).astype(np.uint8)


def lost_by_pillow(depth, color_type, has_key):
    """The kinds that layerpipe reads otherwise than Pillow 13 does: see docs/pictures.md."""
    if color_type == GREY:
        return depth == 16 or (has_key and depth in (2, 4))
    return color_type == RGB and depth == 16 and has_key
