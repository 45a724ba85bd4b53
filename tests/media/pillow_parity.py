"""Compares layerpipe with Pillow on random pictures of every kind and random sizes: bit for bit, but for HEIC and AVIF
(docs/pictures.md says how closely).

    python3 tests/media/pillow_parity.py BUILD/tests/media_tool [--cases N] [--seed N]

Exit code 1 and a line for each difference; needs Pillow 13 and numpy, and pillow-heif for HEIC.
"""

import argparse
import io
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import needs  # noqa: E402

needs.packages("numpy", "PIL")

import numpy as np  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402

import minimal_bmp as bmp  # noqa: E402
import minimal_gif as gif  # noqa: E402
import minimal_png as png  # noqa: E402
import minimal_tiff as tiff  # noqa: E402

KINDS = [(png.GREY, d) for d in (1, 2, 4, 8, 16)] + [(png.PALETTE, d) for d in (1, 2, 4, 8)]
KINDS += [(kind, d) for kind in (png.RGB, png.GREY_ALPHA, png.RGBA) for d in (8, 16)]


class Tool:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def run(self, content, out, size=()):
        (self.folder / "in").write_bytes(content)
        command = [self.program, self.folder / "in", self.folder / out, *map(str, size)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"media_tool: {done.stderr.strip()}")
        width, height = map(int, done.stdout.split())
        return self.folder / out, (height, width, 4)

    def pixels(self, content, size=()):
        out, shape = self.run(content, "out.rgba", size)
        return np.fromfile(out, np.uint8).reshape(shape)


def random_picture(rng):
    """A PNG of a random kind, its description and what it must look like."""
    color_type, depth = KINDS[rng.integers(len(KINDS))]
    width, height = rng.integers(1, 40, 2)
    samples = rng.integers(0, 1 << depth, (height, width, png.CHANNELS[color_type]))
    options, key = {"interlaced": bool(rng.integers(2))}, None
    if color_type == png.PALETTE:
        options["palette"] = rng.integers(0, 256, (rng.integers(1, (1 << depth) + 1), 3))
    if color_type in (png.GREY, png.RGB, png.PALETTE) and rng.integers(2):
        if color_type == png.PALETTE:
            options["transparency"] = rng.integers(0, 256, rng.integers(1, len(options["palette"]) + 1)).tolist()
        else:
            key = samples[rng.integers(height), rng.integers(width)].copy()
            options["transparency"] = key
    orientation = int(rng.integers(0, 10))
    if orientation:
        options["exif"] = png.exif_with_orientation(orientation, "<>"[rng.integers(2)])
        options["exif_last"] = bool(rng.integers(2))
    content = png.encode(samples, depth, color_type, **options)
    name = f"type {color_type}, {depth} bits, {width} x {height}, orientation {orientation}, {sorted(options)}"
    if png.lost_by_pillow(depth, color_type, key is not None):
        upright = Image.fromarray(png.expected_rgba(samples, depth, color_type, key))
        upright.getexif()[0x0112] = orientation or 1
        return name, content, np.asarray(ImageOps.exif_transpose(upright))
    return name, content, None


def by_pillow(content):
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGBA"))


def read_png_case(rng, tool):
    name, content, expected = random_picture(rng)
    return "read PNG " + name, tool.pixels(content), by_pillow(content) if expected is None else expected


def encoded(picture, kind, options):
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def random_exif(rng):
    """Options of Image.save for an orientation, or for none."""
    orientation = int(rng.integers(0, 10))
    return {"exif": b"Exif\0\0" + png.exif_with_orientation(orientation, "<>"[rng.integers(2)])} if orientation else {}


def read_jpeg_case(rng, tool):
    width, height = (int(v) for v in rng.integers(1, 80, 2))
    picture = Image.fromarray(random_rgba(rng, width, height).astype(np.uint8)).convert(("L", "RGB", "RGB")[rng.integers(3)])
    options = {"quality": int(rng.integers(1, 101)), "progressive": bool(rng.integers(2)), **random_exif(rng)}
    if picture.mode == "RGB":
        options["keep_rgb"] = rng.integers(6) == 0
        options["subsampling"] = 0 if options["keep_rgb"] else int(rng.integers(3))
    if rng.integers(3) == 0:
        options["restart_marker_blocks"] = int(rng.integers(1, 9))
    content = encoded(picture, "JPEG", options)
    return f"read JPEG {width} x {height}, {options}", tool.pixels(content), by_pillow(content)


def read_webp_case(rng, tool):
    width, height = (int(v) for v in rng.integers(1, 80, 2))
    picture = Image.fromarray(random_rgba(rng, width, height).astype(np.uint8)).convert(("RGB", "RGBA")[rng.integers(2)])
    options = {"quality": int(rng.integers(0, 101)), "lossless": bool(rng.integers(2)), "method": int(rng.integers(5)),
               "alpha_quality": int(rng.integers(20, 101)), "exact": bool(rng.integers(2)), **random_exif(rng)}
    if rng.integers(4) == 0:
        options |= {"save_all": True, "append_images": [picture.transpose(Image.Transpose.ROTATE_180)]}
    content = encoded(picture, "WEBP", options)
    return f"read WebP {width} x {height}, {picture.mode}, {options}", tool.pixels(content), by_pillow(content)


def random_side(rng, most=40):
    return int(rng.integers(1, most))


def random_palette(rng, colors):
    return rng.integers(0, 256, (colors, 3))


def read_gif_case(rng, tool):
    """The frame may lie anywhere, also beyond the canvas, and have a palette of its own or none."""
    bits = int(rng.integers(1, 9))
    width, height = random_side(rng), random_side(rng)
    samples = rng.integers(0, 1 << bits, (height, width))
    options = {"place": tuple(int(v) for v in rng.integers(0, 12, 2)), "interlaced": bool(rng.integers(2)), "bits": bits}
    options |= {"transparent": int(rng.integers(256))} if rng.integers(2) else {}
    options |= {"palette": random_palette(rng, 1 << bits)} if rng.integers(3) == 0 else {}
    palette = random_palette(rng, 1 << int(rng.integers(1, 9))) if rng.integers(4) else None
    frames = [gif.frame(samples, **options)] + [gif.frame(samples[::-1], bits=bits)] * int(rng.integers(2))
    content = gif.encode((random_side(rng), random_side(rng)), frames, palette, background=int(rng.integers(256)))
    return f"read GIF {width} x {height}, {len(frames)} frames, {sorted(options)}", tool.pixels(content), by_pillow(content)


BMP_MASKS = [(32, (0xFF0000, 0xFF00, 0xFF, 0)), (32, (0xFF000000, 0xFF0000, 0xFF00, 0)), (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
             (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)), (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)), (32, (0, 0, 0, 0)),
             (24, (0xFF0000, 0xFF00, 0xFF)), (16, (0xF800, 0x7E0, 0x1F)), (16, (0x7C00, 0x3E0, 0x1F))]


def read_bmp_case(rng, tool):
    width, height = random_side(rng), random_side(rng)
    options = {"header": (bmp.INFO, bmp.V4, bmp.V5)[rng.integers(3)], "from_top": bool(rng.integers(2))}
    kind = rng.integers(4)
    if kind == 0:  # a palette
        bits = (1, 4, 8)[rng.integers(3)]
        colors = int(rng.integers(1, (1 << bits) + 1))
        options |= {"header": (bmp.CORE, bmp.INFO, bmp.V5)[rng.integers(3)]}
        if options["header"] == bmp.CORE:
            options["from_top"], colors = False, 1 << bits
        options["palette"] = random_palette(rng, colors)
        samples = rng.integers(0, colors, (height, width))
    elif kind == 1:  # run-length encoded
        bits = (4, 8)[rng.integers(2)]
        options |= {"compression": bmp.RLE4 if bits == 4 else bmp.RLE8, "from_top": False, "palette": random_palette(rng, 1 << bits)}
        samples = rng.integers(0, 1 << bits, (height, width)) * (rng.integers(0, 3, (height, width)) == 0)
    elif kind == 2:
        bits = (16, 24, 32)[rng.integers(3)]
        samples = rng.integers(0, 1 << bits, (height, width))
    else:
        bits, options["masks"] = BMP_MASKS[rng.integers(len(BMP_MASKS))]
        if options["masks"][3:] != (0,) and len(options["masks"]) == 4:
            options["header"] = (bmp.V3, bmp.V4, bmp.V5)[rng.integers(3)]
        samples = rng.integers(0, 1 << bits, (height, width))
    content = bmp.encode(samples, bits, **options)
    shown = {name: value for name, value in options.items() if name != "palette"}
    return f"read BMP {width} x {height}, {bits} bits, {shown}", tool.pixels(content), by_pillow(content)


TIFF_KINDS = [(tiff.WHITE_IS_ZERO, b, None) for b in (1, 2, 4, 8)] + [(tiff.BLACK_IS_ZERO, b, None) for b in (1, 2, 4, 8)]
TIFF_KINDS += [(tiff.PALETTE, b, None) for b in (1, 2, 4, 8)] + [(tiff.BLACK_IS_ZERO, 8, [e]) for e in (0, 2)]
TIFF_KINDS += [(tiff.RGB, b, e) for b in (8, 16) for e in (None, [0], [1], [2])] + [(tiff.RGB, 8, [2, 0]), (tiff.PALETTE, 8, [2])]


def read_tiff_case(rng, tool):
    photometric, bits, extras = TIFF_KINDS[rng.integers(len(TIFF_KINDS))]
    width, height = random_side(rng), random_side(rng)
    count = (3 if photometric == tiff.RGB else 1) + len(extras or [])
    samples = rng.integers(0, 1 << bits, (height, width, count))
    options = {"extras": extras, "rows": random_side(rng)}
    order = "<>"[rng.integers(2)]
    if rng.integers(3) == 0 and bits >= 8:
        options["tile"] = tuple(16 * int(v) for v in rng.integers(1, 4, 2))
    # Pillow reads no more than this apart, nor tiles that reach over the edge then.
    if rng.integers(3) == 0 and photometric == tiff.RGB and bits == 8 and extras in (None, [2]) and "tile" not in options:
        options["planar"] = True
    if rng.integers(4) == 0 and bits <= 8 and count == 1 and photometric == tiff.BLACK_IS_ZERO:
        options["reverse"] = True
    if photometric == tiff.PALETTE:
        options["palette"] = rng.integers(0, 65536, (1 << bits, 3))
    if rng.integers(2):
        options["more"] = [(tiff.ORIENTATION, tiff.SHORT, [int(rng.integers(1, 9))])]
    content = tiff.encode([dict(samples=samples, bits=bits, photometric=photometric, **options)], order)
    shown = {name: value for name, value in options.items() if name != "palette"}
    return f"read TIFF {width} x {height}, {bits} bits, kind {photometric}, {order}, {shown}", tool.pixels(content), by_pillow(content)


def read_packed_tiff_case(rng, tool):
    """Compressed by libtiff."""
    width, height = random_side(rng, 80), random_side(rng, 80)
    packing, modes = [("tiff_lzw", "RGB RGBA L LA P 1 YCbCr"), ("tiff_adobe_deflate", "RGB RGBA L P"), ("packbits", "RGB L 1"),
                      ("jpeg", "RGB L YCbCr"), ("group3", "1"), ("group4", "1"), ("tiff_ccitt", "1"), ("tiff_deflate", "RGB")][rng.integers(8)]
    mode = modes.split()[rng.integers(len(modes.split()))]
    picture = Image.fromarray(random_rgba(rng, width, height).astype(np.uint8)).convert(mode)
    content = encoded(picture, "TIFF", {"compression": packing, "tiffinfo": {tiff.ORIENTATION: int(rng.integers(1, 9))}})
    return f"read TIFF {width} x {height}, {mode}, {packing}", tool.pixels(content), by_pillow(content)


def smooth(rng, width, height):
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 127 * np.sin(x / rng.integers(3, 20) + y / rng.integers(3, 20) + rng.random() * 6) for _ in range(4)]
    return np.stack(waves, axis=2)


def read_avif_case(rng, tool):
    width, height = random_side(rng, 80), random_side(rng, 80)
    pixels = (random_rgba if rng.integers(2) else smooth)(rng, width, height)
    picture = Image.fromarray(pixels.astype(np.uint8)).convert(("L", "RGB", "RGBA", "RGB")[rng.integers(4)])
    options = {"quality": int(rng.integers(20, 101)), "speed": 8, "max_threads": 1, "range": ("full", "limited")[rng.integers(2)],
               **random_exif(rng)}
    if picture.mode != "L":
        options["subsampling"] = ("4:2:0", "4:2:2", "4:4:4")[rng.integers(3)]
    content = encoded(picture, "AVIF", options)
    return f"read AVIF {width} x {height}, {picture.mode}, {options}", tool.pixels(content), by_pillow(content)


def read_heic_case(rng, tool):
    width, height = random_side(rng, 80) + 1, random_side(rng, 80) + 1
    pixels = (random_rgba if rng.integers(2) else smooth)(rng, width, height)
    picture = Image.fromarray(pixels.astype(np.uint8)).convert(("RGB", "RGBA")[rng.integers(2)])
    options = {"quality": int(rng.integers(20, 101)), "chroma": (420, 422, 444)[rng.integers(3)]}
    content = encoded(picture, "HEIF", options)
    return f"read HEIC {width} x {height}, {picture.mode}, {options}", tool.pixels(content), by_pillow(content)


def random_rgba(rng, width, height):
    """Noise, smooth colors or a cut-out: they press on different parts of the arithmetic."""
    noise = rng.integers(0, 256, (height, width, 4))
    style = rng.integers(4)
    if style == 1:
        y, x = np.mgrid[0:height, 0:width]
        noise = np.stack([(x * 255) // width, (y * 255) // height, (x + y) % 256, (x * y) % 256], axis=2)
    elif style == 2:
        noise[..., 3] = 255 * (noise[..., 3] > 100)
    elif style == 3:
        noise[..., 3] = noise[..., 3] // 40
    return noise


def resize_case(rng, tool):
    limit = 400 if rng.integers(5) == 0 else 80
    width, height, new_width, new_height = (int(v) for v in rng.integers(1, limit, 4))
    if rng.integers(6) == 0:
        new_width = width
    if rng.integers(6) == 0:
        new_height = height
    pixels = random_rgba(rng, width, height)
    expected = Image.fromarray(pixels.astype(np.uint8)).resize((new_width, new_height), Image.LANCZOS)
    actual = tool.pixels(png.encode(pixels, 8, png.RGBA), (new_width, new_height))
    return f"resize {width} x {height} to {new_width} x {new_height}", actual, np.asarray(expected)


def write_case(rng, tool):
    width, height = rng.integers(1, 60, 2)
    pixels = random_rgba(rng, width, height)
    out, _ = tool.run(png.encode(pixels, 8, png.RGBA), "out.png")
    with Image.open(out) as picture:
        assert picture.mode == "RGBA" and picture.text == {"Comment": "plain", "Title": "Übermut"}, picture.text
        return f"write {width} x {height}", np.asarray(picture), pixels.astype(np.uint8)


def readers(without):
    """The cases of reading, and by how much a byte may differ."""
    cases = [("png", read_png_case, 0), ("jpeg", read_jpeg_case, 0), ("webp", read_webp_case, 0), ("gif", read_gif_case, 0),
             ("bmp", read_bmp_case, 0), ("tiff", read_tiff_case, 0), ("tiff", read_packed_tiff_case, 0), ("avif", read_avif_case, 1)]
    try:
        import pillow_heif
        pillow_heif.register_heif_opener()
        cases.append(("heic", read_heic_case, 1))
    except ImportError:
        print("HEIC is left out: pillow-heif is not there")
    return [(case, tolerance) for kind, case, tolerance in cases if kind not in without]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", type=needs.program)
    parser.add_argument("--cases", type=int, default=200, help="of reading each kind of file, of resizing and of writing, each (200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", action="append", default=[], help="a kind for whose library the tool was not built: webp, heic …")
    options = parser.parse_args()
    cases = [*readers(options.without), (resize_case, 0), (write_case, 0)]
    rng = np.random.default_rng(options.seed)
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(options.tool, pathlib.Path(folder))
        for case, tolerance in cases:
            for _ in range(options.cases):
                name, actual, expected = case(rng, tool)
                if actual.shape != expected.shape or np.abs(actual.astype(int) - expected).max() > tolerance:
                    differing += 1
                    print("differs:", name)
    print(f"{len(cases) * options.cases} cases, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
