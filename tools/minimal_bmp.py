"""Writes BMP pictures of every kind, without looking at what Pillow would do. Standard library and numpy."""

import struct

RAW, RLE8, RLE4, MASKS = range(4)
CORE, INFO, V3, V4, V5 = 12, 40, 56, 108, 124


def rows_of(samples, bits, from_top):
    """samples: [height, width], whole pixels."""
    for row in samples if from_top else samples[::-1]:
        if bits < 8:
            value = 0
            for v in row:
                value = value << bits | int(v)
            used = len(row) * bits
            content = (value << (-used % 8)).to_bytes((used + 7) // 8, "big")
        else:
            content = b"".join(int(v).to_bytes(bits // 8, "little") for v in row)
        yield content + bytes(-len(content) % 4)


def runs(samples, bits):
    """Run-length encoded: runs, literal pixels, and an end of line behind each row."""
    content = b""
    for row in samples[::-1]:
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end] == row[x] and end - x < 255:
                end += 1
            if end - x >= 2 or len(row) - x < 3:
                value = int(row[x])
                content += bytes([end - x, value if bits == 8 else value << 4 | value])
                x = end
            else:
                literal = [int(v) for v in row[x:x + 5]]
                if bits == 8:
                    packed = bytes(literal)
                else:
                    halves = literal + [0] * (len(literal) % 2)
                    packed = bytes(a << 4 | b for a, b in zip(halves[::2], halves[1::2]))
                content += bytes([0, len(literal)]) + packed + bytes(len(packed) % 2)
                x += len(literal)
        content += b"\0\0"
    return content[:-2] + b"\0\1"


def encode(samples, bits, header=INFO, palette=None, masks=None, compression=None, from_top=False, profile=None):
    height, width = samples.shape
    if compression is None:
        compression = MASKS if masks is not None else RAW
    pixels = runs(samples, bits) if compression in (RLE8, RLE4) else b"".join(rows_of(samples, bits, from_top))
    if header == CORE:
        head = struct.pack("<IHHHH", CORE, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, width, -height if from_top else height, 1, bits, compression, len(pixels),
                           2835, 2835, 0 if palette is None else len(palette), 0)
        if masks is not None:
            head += struct.pack("<IIII", *masks, *[0] * (4 - len(masks)))[:16 if header >= V3 else 12]
        head += bytes(max(header - len(head), 0))
    colors = b"" if palette is None else b"".join(bytes(int(v) for v in color[::-1]) + bytes(header != CORE) for color in palette)
    if profile is not None:
        head = bytearray(head)
        head[56:60] = b"DEBM"  # "MBED" as a number
        head[112:120] = struct.pack("<II", len(head) + len(colors) + len(pixels), len(profile))
        head = bytes(head)
    start = 14 + len(head) + len(colors)
    content = head + colors + pixels + (profile or b"")
    return b"BM" + struct.pack("<IHHI", 14 + len(content), 0, 0, start) + content
