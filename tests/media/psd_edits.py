"""Reads Photoshop documents back after psd-tools has edited or made them, and compares every layer with what was done to it.

    python3 tests/media/psd_edits.py BUILD/tests/media_tool [--program BUILD/layerpipe] [--cases N] [--seed N]

With --program, `layerpipe merge` and `layerpipe export` have to give the same picture. Exit code 1 and a line for each failed check.
Needs psd-tools, numpy and Pillow.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import needs  # noqa: E402

needs.packages("numpy", "PIL", "psd_tools")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from psd_tools import PSDImage  # noqa: E402
from psd_tools.constants import BlendMode, Compression  # noqa: E402

from document_samples import Tool, composite, noise, random_box

NAMES = ["sky", "Höhle \N{OCTOPUS}", "a/b:c", "図層", "x" * 100]
COMPRESSIONS = [Compression.RAW, Compression.RLE, Compression.ZIP, Compression.ZIP_WITH_PREDICTION]


def placed(pixels, left, top, size, opacity=255):
    """`pixels` with their corner at left, top of a transparent picture of `size`, faded."""
    width, height = size
    result = np.zeros((height, width, 4), np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + pixels.shape[1], width), min(top + pixels.shape[0], height)
    if x0 < x1 and y0 < y1:
        result[y0:y1, x0:x1] = pixels[y0 - top:y1 - top, x0 - left:x1 - left]
    result[..., 3] = np.floor(result[..., 3] * (opacity / 255) + 0.5)
    return result


def read_back(tool, path):
    """Names and pixels."""
    folder = tool.folder / "layers"
    folder.mkdir(exist_ok=True)
    _, *names = tool.run("read-psd", path, folder).splitlines()
    pictures = []
    for i in range(len(names)):
        with Image.open(folder / f"{i}.png") as picture:
            pictures.append(np.asarray(picture))
    return list(zip(names, pictures))


def compare(actual, expected):
    assert [name for name, _ in actual] == [name for name, _ in expected], [name for name, _ in actual]
    for (name, pixels), (_, wanted) in zip(actual, expected):
        assert pixels.shape == wanted.shape and np.array_equal(pixels, wanted), name


def ours(rng, tool):
    width, height = (int(side) for side in rng.integers(30, 90, 2))
    layers = [("back", noise(rng, width, height))]
    layers += [(f"layer {i}", noise(rng, width, height, random_box(rng, width, height))) for i in range(int(rng.integers(1, 5)))]
    return tool.write("psd", layers), layers, (width, height)


def as_written(rng, tool):
    """What layerpipe writes; it cuts layers to their content."""
    path, layers, _ = ours(rng, tool)
    compare(read_back(tool, path), layers)
    return path, layers


def edited(rng, tool):
    """What layerpipe wrote, after some of what a person does to it."""
    path, layers, size = ours(rng, tool)
    psd = PSDImage.open(path)
    expected = []
    for layer, (name, pixels) in zip(list(psd), layers):
        left, top, right, bottom = layer.bbox
        content = pixels[top:bottom, left:right]
        opacity = 255
        if rng.integers(2):
            name = layer.name = NAMES[rng.integers(len(NAMES))]
        if rng.integers(2):
            opacity = layer.opacity = int(rng.integers(256))
        if rng.integers(2) and content.size:
            dx, dy = (int(v) for v in rng.integers(-60, 60, 2))
            layer.left, layer.top = left + dx, top + dy
            left, top = left + dx, top + dy
        if rng.integers(4) == 0 and len(expected):
            layer.visible = False
        else:
            expected.append((name, placed(content, left, top, size, opacity) if content.size else np.zeros_like(pixels)))
    path = tool.folder / "edited.psd"
    psd.save(path, encoding="utf-8")
    compare(read_back(tool, path), expected)
    return path, expected


def made(rng, tool):
    """A document of psd-tools: groups, every compression, with alpha and without, PSD and PSB."""
    size = tuple(int(side) for side in rng.integers(20, 80, 2))
    psd = PSDImage.new("RGBA", size)  # of "RGB" it would make masks of alpha
    path = tool.folder / "made.psd"
    if rng.integers(2):  # before the layers, which are packed for it
        psd._record.header.version = 2
        path = path.with_suffix(".psb")
    expected = []

    def add(parent, around, hidden):
        width, height = (int(side) for side in rng.integers(1, 100, 2))
        left, top = (int(v) for v in rng.integers(-40, 60, 2))
        pixels = noise(rng, width, height)
        mode = ("RGBA", "RGB")[rng.integers(2)]
        if mode == "RGB":
            pixels[..., 3] = 255
        opacity, name = int(rng.integers(256)), NAMES[rng.integers(len(NAMES))]
        layer = psd.create_pixel_layer(Image.fromarray(pixels).convert(mode), name=name, top=top, left=left, opacity=opacity,
                                       compression=COMPRESSIONS[rng.integers(4)])
        parent.append(layer)
        if rng.integers(5) == 0:
            layer.visible = False
        elif not hidden:
            expected.append((name, placed(pixels, left, top, size, opacity * around)))

    add(psd, 1, False)
    for _ in range(int(rng.integers(1, 4))):
        kind = rng.integers(4)
        if kind == 0:  # a group with one layer, which may be translucent
            opacity, hidden = int(rng.integers(256)), rng.integers(4) == 0
            group = psd.create_group(name="glass", opacity=opacity, blend_mode=BlendMode.NORMAL)
            group.visible = not hidden
            add(group, opacity / 255, hidden)
        elif kind == 1:  # groups within each other
            outer = psd.create_group(name="outer")
            add(outer, 1, False)
            inner = psd.create_group(name="inner")
            outer.append(inner)
            add(inner, 1, False)
            add(outer, 1, False)
        else:
            add(psd, 1, False)
    psd.save(path, encoding="utf-8")
    if not expected:
        return None
    compare(read_back(tool, path), expected)
    return path, expected


def check_program(program, folder, path, expected):
    merged, out = folder / "merged.png", folder / "exported"
    subprocess.run([program, "merge", "--in", path, "--out", merged], check=True, capture_output=True)
    with Image.open(merged) as picture:
        assert np.abs(np.asarray(picture).astype(int) - composite([pixels for _, pixels in expected])).max() <= 1
    for file in out.glob("*"):
        file.unlink()
    subprocess.run([program, "export", "--in", path, "--out", out, "--format", "psd"], check=True, capture_output=True)
    psd = PSDImage.open(out / "layers.psd")
    assert [layer.name for layer in psd] == [name for name, _ in expected]
    for layer, (name, pixels) in zip(psd, expected):
        left, top, right, bottom = Image.fromarray(pixels[..., 3]).getbbox() or (0, 0, 0, 0)
        assert tuple(layer.bbox) == (left, top, right, bottom), name
        if right:
            written, visible = np.asarray(layer.topil(apply_icc=False)), pixels[top:bottom, left:right, 3] > 0
            assert np.array_equal(written[..., 3], pixels[top:bottom, left:right, 3]), name
            assert np.array_equal(written[visible], pixels[top:bottom, left:right][visible]), name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("--program", help="layerpipe; the first cases of each kind are merged and exported with it too")
    parser.add_argument("--cases", type=int, default=40, help="of each kind (40)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(options.tool, folder)
        for case in (as_written, edited, made):
            for number in range(options.cases):
                try:
                    done = case(rng, tool)
                    if done and options.program and number < 8:
                        check_program(options.program, tool.folder, *done)
                except Exception:  # everything that another program says against a document is a failure of it
                    failed += 1
                    print(f"failed: {case.__name__} {number}\n{traceback.format_exc()}")
    print(f"{3 * options.cases} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
