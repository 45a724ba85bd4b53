"""Writes TIFF pictures of every kind, not compressed, without looking at what Pillow would do. Standard library and numpy."""

import struct

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, OFFSETS, ORIENTATION = 256, 257, 258, 259, 262, 266, 273, 274
SAMPLES, ROWS, COUNTS, PLANAR, COLORS = 277, 278, 279, 284, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, EXTRAS, FORMAT, PROFILE, KIND = 322, 323, 324, 325, 338, 339, 34675, 254
SHORT, LONG, UNDEFINED = 3, 4, 7


def packed(rows, bits, order, reverse):
    """rows: lists of samples, each row padded to bytes."""
    content = b""
    for row in rows:
        if bits == 16:
            content += struct.pack(f"{order}{len(row)}H", *map(int, row))
            continue
        value = 0
        for v in row:
            value = value << bits | int(v)
        used = len(row) * bits
        content += (value << (-used % 8)).to_bytes((used + 7) // 8, "big")
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in content) if reverse else content


def pieces(samples, rows, tile):
    """The parts of one plane, [height, width, samples], that are stored each for itself, as lists of rows."""
    height, width = samples.shape[:2]
    if tile is None:
        for top in range(0, height, rows):
            yield [row.ravel() for row in samples[top:top + rows]]
        return
    across, down = tile
    for top in range(0, height, down):
        for left in range(0, width, across):
            part = [[0] * (across * samples.shape[2]) for _ in range(down)]
            for y, row in enumerate(samples[top:top + down, left:left + across]):
                part[y][:row.size] = row.ravel()
            yield part


def page(samples, bits, photometric, start, order="<", rows=None, tile=None, planar=False, reverse=False, extras=None,
         palette=None, more=(), next_page=False):
    """The parts of a page that begins at `start`, its directory first."""
    height, width, count = samples.shape
    planes = [samples[..., i:i + 1] for i in range(count)] if planar else [samples]
    parts = [packed(piece, bits, order, reverse) for plane in planes for piece in pieces(plane, rows or height, tile)]
    tags = [(WIDTH, LONG, [width]), (HEIGHT, LONG, [height]), (BITS, SHORT, [bits] * count), (COMPRESSION, SHORT, [1]),
            (PHOTOMETRIC, SHORT, [photometric]), (SAMPLES, SHORT, [count]), (PLANAR, SHORT, [2 if planar else 1])]
    if reverse:
        tags.append((FILL_ORDER, SHORT, [2]))
    if extras is not None:
        tags.append((EXTRAS, SHORT, extras))
    if palette is not None:
        tags.append((COLORS, SHORT, [int(color[c]) for c in range(3) for color in palette]))
    names = (TILE_OFFSETS, TILE_COUNTS) if tile else (OFFSETS, COUNTS)
    tags += [(TILE_WIDTH, SHORT, [tile[0]]), (TILE_HEIGHT, SHORT, [tile[1]])] if tile else [(ROWS, LONG, [rows or height])]
    tags += [(names[0], LONG, [0] * len(parts)), (names[1], LONG, [len(part) for part in parts]), *more]
    tags.sort(key=lambda tag: tag[0])
    sizes = {SHORT: 2, LONG: 4, UNDEFINED: 1}
    behind = start + 2 + 12 * len(tags) + 4
    values_bytes = sum(n + n % 2 for n in (sizes[kind] * len(values) for _, kind, values in tags) if n > 4)
    place = behind + values_bytes
    offsets = []
    for part in parts:
        offsets.append(place)
        place += len(part) + len(part) % 2
    directory, values_behind = struct.pack(order + "H", len(tags)), b""
    for name, kind, values in tags:
        values = offsets if name == names[0] else values
        letter = {SHORT: "H", LONG: "I", UNDEFINED: "B"}[kind]
        content = struct.pack(f"{order}{len(values)}{letter}", *values)
        directory += struct.pack(order + "HHI", name, kind, len(values))
        if len(content) <= 4:
            directory += content.ljust(4, b"\0")
        else:
            directory += struct.pack(order + "I", behind + len(values_behind))
            values_behind += content + bytes(len(content) % 2)
    directory += struct.pack(order + "I", place if next_page else 0)
    return directory + values_behind + b"".join(part + bytes(len(part) % 2) for part in parts)


def encode(pages, order="<"):
    """pages: the arguments of page() but for `start` and `order`."""
    content = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    for i, arguments in enumerate(pages):
        content += page(start=len(content), order=order, next_page=i + 1 < len(pages), **arguments)
    return content
