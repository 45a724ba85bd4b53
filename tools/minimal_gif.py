"""Writes GIF pictures of every kind, without looking at what Pillow would do. Standard library and numpy."""

import struct


def blocks(content):
    parts = [content[start:start + 255] for start in range(0, len(content), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def packed(indices, bits):
    """LZW that packs nothing: a code for each pixel, and the table cleared before codes become longer."""
    bits = max(bits, 2)
    clear, codes = 1 << bits, []
    for i, index in enumerate(indices):
        if i % ((1 << bits) - 2) == 0:
            codes.append(clear)
        codes.append(int(index))
    codes.append(clear + 1)
    value = sum(code << ((bits + 1) * i) for i, code in enumerate(codes))
    return bytes([bits]) + blocks(value.to_bytes(((bits + 1) * len(codes) + 7) // 8, "little"))


def palette_flags(palette):
    """The number of bits that a palette has, 0 without one, and its bytes."""
    if palette is None:
        return 0, b""
    bits = max((len(palette) - 1).bit_length(), 1)
    assert len(palette) == 1 << bits
    return bits, bytes(int(v) for color in palette for v in color)


def interlaced_rows(height):
    return [y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, height, step)]


def frame(samples, place=(0, 0), palette=None, transparent=None, interlaced=False, bits=8):
    height, width = samples.shape
    content = b""
    if transparent is not None:
        content += b"!\xf9\x04" + struct.pack("<BHBB", 1, 10, transparent, 0)
    flags, colors = palette_flags(palette)
    flags = (0x80 | (flags - 1) if colors else 0) | (0x40 if interlaced else 0)
    rows = interlaced_rows(height) if interlaced else range(height)
    content += b"," + struct.pack("<HHHHB", *place, width, height, flags) + colors
    return content + packed([v for y in rows for v in samples[y]], bits)


def encode(size, frames, palette=None, background=0, end=b";"):
    flags, colors = palette_flags(palette)
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80 | (flags - 1) if colors else 0, background, 0)
    return head + colors + b"".join(frames) + end
