"""Compares layerpipe with Pillow on random pictures of every kind and random sizes, bit for bit.

    python3 tests/media/pillow_parity.py BUILD/tests/media_tool [--cases N] [--seed N]

Exit code 1 and a line for each difference; needs Pillow 13 and numpy.
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

import minimal_png as png  # noqa: E402

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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", type=needs.program)
    parser.add_argument("--cases", type=int, default=200, help="of reading each kind of file, of resizing and of writing, each (200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-webp", action="store_true", help="the tool was built without libwebp")
    options = parser.parse_args()
    cases = [read_png_case, read_jpeg_case, read_webp_case, resize_case, write_case]
    if options.no_webp:
        cases.remove(read_webp_case)
    rng = np.random.default_rng(options.seed)
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(options.tool, pathlib.Path(folder))
        for case in cases:
            for _ in range(options.cases):
                name, actual, expected = case(rng, tool)
                if actual.shape != expected.shape or not np.array_equal(actual, expected):
                    differing += 1
                    print("differs:", name)
    print(f"{len(cases) * options.cases} cases, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
