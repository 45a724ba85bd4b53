"""A writer of small colour profiles (ICC 4.3) for tests: matrix, grey and table profiles. Numpy is all it needs."""

import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
# Columns are red, green and blue, for a white of D50.
SRGB_PRIMARIES = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def primaries(*chromaticities):
    """The matrix for red, green and blue at these x, y, with a white of D50."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in chromaticities]).T
    return columns * np.linalg.solve(columns, D50)


WIDE_PRIMARIES = primaries((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))


def srgb_curve(value):
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def fixed(values):
    return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))


def xyz(values):
    return b"XYZ \0\0\0\0" + fixed(values)


def text(value):
    content = value.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(content), 28) + content


def gamma(exponent):
    return b"para\0\0\0\0\0\0\0\0" + fixed([exponent])


def srgb_parameters():
    return b"para\0\0\0\0\0\3\0\0" + fixed([2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045])


def curve(function, entries):
    values = np.rint(function(np.linspace(0, 1, entries)) * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", entries) + values.tobytes()


def table(matrix, function, entries):
    """A table (lut16Type) of two points a side, with a curve before it: what a matrix profile does, as a table."""
    curves = np.tile(np.rint(function(np.linspace(0, 1, entries)) * 65535), 3).astype(">u2").tobytes()
    corners = np.array([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)]) @ np.asarray(matrix).T
    points = np.rint(np.clip(corners, 0, 1.99) * 32768).astype(">u2").tobytes()
    straight = np.array([0, 65535] * 3, ">u2").tobytes()
    head = b"mft2\0\0\0\0" + struct.pack(">BBBB", 3, 3, 2, 0) + fixed(np.eye(3).ravel()) + struct.pack(">HH", entries, 2)
    return head + curves + points + straight


def profile(space, name, tags, *, intent=0):
    """space: b"RGB ", b"GRAY" or b"CMYK". tags: name to content. intent: 0 perceptual, 1 relative colorimetric."""
    tags = {b"desc": text(name), b"cprt": text("public domain"), b"wtpt": xyz(D50), **tags}
    start = 128 + 4 + 12 * len(tags)
    index, body = b"", b""
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        index += struct.pack(">4sII", tag, start + len(body), len(content))
        body += content
    date = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    head = struct.pack(">I4xI4s4s4s12s4s", start + len(body), 0x04300000, b"mntr", space, b"XYZ ", date, b"acsp")
    head += bytes(24) + struct.pack(">I", intent) + fixed(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


def matrix_profile(name, matrix, tone, **options):
    columns = {tag: xyz(matrix[:, i]) for i, tag in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tones = {tag: tone for tag in (b"rTRC", b"gTRC", b"bTRC")}
    return profile(b"RGB ", name, {**columns, **tones}, **options)


def grey_profile(name, tone):
    return profile(b"GRAY", name, {b"kTRC": tone})
