"""What the program makes of a run, through other programs' eyes: psd-tools, python-pptx, zipfile and Pillow; and how much memory that takes.

    python3 tests/launch/documents_of_a_run.py BUILD/layerpipe

Exit code 1 and a line for each failed check. Needs Pillow, numpy, psd-tools and python-pptx.
"""

import base64
import io
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from xml.etree import ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import needs  # noqa: E402

needs.packages("numpy", "PIL", "pptx", "psd_tools")

import numpy as np  # noqa: E402
from PIL import Image, ImageFilter  # noqa: E402
from pptx import Presentation  # noqa: E402
from psd_tools import PSDImage  # noqa: E402

DEMO = pathlib.Path(__file__).resolve().parents[2] / "demo"
DOCUMENTS = ["psd", "pptx", "ora", "zip", "html"]
NAMES = ["sky", "hills", "a cloud", "letters 字"]
# Of the program's own, on the whole; what is mapped from files can be read again and is not counted.
MOST_MEMORY_BYTES = 400e6


class Program:
    def __init__(self, program):
        self.program = program

    def run(self, *words):
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def memory_of(self, *words):
        """The most memory of its own that it holds, in bytes, looked at every few milliseconds."""
        process = subprocess.Popen([self.program, *map(str, words)], stderr=subprocess.DEVNULL)
        status = pathlib.Path(f"/proc/{process.pid}/status")
        most = 0
        while process.poll() is None:
            found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text())
            most = max(most, int(found[1]) * 1024 if found else 0)
            time.sleep(0.002)
        assert process.returncode == 0, process.returncode
        return most


def pixels_of(file):
    with Image.open(file) as picture:
        assert picture.mode == "RGBA", picture.mode
        return np.array(picture)


def composite(layers):
    """In float, rounded once; straight alpha."""
    colour = np.zeros(layers[0].shape[:2] + (3,))
    alpha = np.zeros(layers[0].shape[:2] + (1,))
    for layer in layers:
        over = layer[..., 3:] / 255
        colour = over * layer[..., :3] + (1 - over) * colour
        alpha = over + (1 - over) * alpha
    return np.rint(np.dstack([np.divide(colour, alpha, out=np.zeros_like(colour), where=alpha > 0), 255 * alpha]))


def same_to_the_eye(a, b, levels=0):
    seen = (a[..., 3] > 0) | (b[..., 3] > 0)
    return a.shape == b.shape and np.all(np.abs(a.astype(int) - b.astype(int))[seen] <= levels)


def darker_than_all_around(pixels, size, reach=15):
    """How much darker a pixel of the picture becomes than every visible pixel in its place, when colours and alpha are scaled each
    for itself, as many programs do it."""
    channels = [Image.fromarray(pixels[..., c]) for c in range(4)]
    scaled = np.dstack([np.asarray(channel.resize(size, Image.Resampling.BILINEAR)) for channel in channels]).astype(int)
    hidden = pixels[..., 3] == 0
    darkest = [Image.fromarray(np.where(hidden, 255, pixels[..., c]).astype(np.uint8)).filter(ImageFilter.MinFilter(reach)) for c in range(3)]
    around = np.dstack([np.asarray(channel.resize(size, Image.Resampling.NEAREST)) for channel in darkest]).astype(int)
    return int((around - scaled[..., :3])[scaled[..., 3] > 0].max(initial=0))


def check_edges(program, run):
    without_bleeding = 0
    for file in sorted(run.glob("layer_*.png")):
        pixels = pixels_of(file)
        cleared = np.where(pixels[..., 3:] == 0, 0, pixels).astype(np.uint8)
        for size in ((101, 67), (503, 351)):
            assert darker_than_all_around(pixels, size) <= 1, (file.name, size, darker_than_all_around(pixels, size))
            without_bleeding = max(without_bleeding, darker_than_all_around(cleared, size))
    assert without_bleeding > 20, ("the control has no rim", without_bleeding)


def check_psd(program, run):
    document = PSDImage.open(run / "layers.psd")
    assert [layer.name for layer in document] == NAMES
    for k, layer in enumerate(document):
        whole = Image.new("RGBA", document.size)
        whole.paste(layer.topil().convert("RGBA"), (layer.left, layer.top))
        assert same_to_the_eye(np.array(whole), pixels_of(run / f"layer_{k}.png")), k
    merged = np.array(document.topil().convert("RGBA"))
    assert same_to_the_eye(merged, pixels_of(run / "composite.png"), 2)


def check_pptx(program, run):
    slides = Presentation(run / "layers.pptx").slides
    assert len(slides) == 1 and [shape.name for shape in slides[0].shapes] == NAMES


def check_ora(program, run):
    with zipfile.ZipFile(run / "layers.ora") as archive:
        stack = ElementTree.fromstring(archive.read("stack.xml"))
        assert [layer.get("name") for layer in stack.iter("layer")] == NAMES[::-1]  # from the front
        with Image.open(io.BytesIO(archive.read("mergedimage.png"))) as merged:
            assert same_to_the_eye(np.array(merged.convert("RGBA")), pixels_of(run / "composite.png"))


def check_zip(program, run):
    with zipfile.ZipFile(run / "layers.zip") as archive:
        assert archive.testzip() is None
        report = json.loads(archive.read("run.json"))
        assert sorted(archive.namelist()) == sorted([*report["files"], "run.json"])
        for name in report["files"]:
            assert archive.read(name) == (run / name).read_bytes(), name
    assert str(DEMO) not in json.dumps(report), "paths of this machine"


def check_html(program, run):
    page = (run / "layers.html").read_text()
    pictures = re.findall(r'<script type="image/png;base64" id="png-([^"]+)">([^<]*)<', page)
    assert [name for name, _ in pictures] == [*(f"layer-{k}" for k in range(len(NAMES))), "original"]
    for _, text in pictures:
        Image.open(io.BytesIO(base64.b64decode(text))).load()


def check_merge(program, run):
    out = run / "merged.png"
    layers = [pixels_of(run / f"layer_{k}.png") for k in range(len(NAMES))]
    for chosen, kept in (("0-3", layers), ("3,0-1", layers[:2] + layers[3:]), ("2", layers[2:3])):
        program.run("merge", "--in", run, "--layers", chosen, "--out", out)
        assert same_to_the_eye(pixels_of(out), composite(kept), 1), chosen


def check_merge_of_edits(program, run):
    """Pillow saves a layer with a palette, one without alpha, one in grey; another program hides a layer and thins one."""
    edited = run.parent / "edited"
    edited.mkdir()
    layers = [Image.open(run / f"layer_{k}.png") for k in range(len(NAMES))]
    changed = [layers[0].convert("RGB"), layers[1].quantize(64), layers[2].convert("LA"), layers[3].transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    for k, layer in enumerate(changed):
        layer.save(edited / f"layer_{k}.png")
    program.run("merge", "--in", edited, "--out", edited / "merged.png")
    expected = composite([np.array(layer.convert("RGBA")) for layer in changed])
    assert same_to_the_eye(pixels_of(edited / "merged.png"), expected, 1)

    with zipfile.ZipFile(run / "layers.ora") as archive, zipfile.ZipFile(edited / "edited.ora", "w") as out:
        stack = ElementTree.fromstring(archive.read("stack.xml"))
        front, third, *_ = stack.iter("layer")
        front.set("visibility", "hidden")
        third.set("opacity", "0.5")
        for entry in archive.namelist():
            out.writestr(entry, ElementTree.tostring(stack) if entry == "stack.xml" else archive.read(entry))
    program.run("merge", "--in", edited / "edited.ora", "--out", edited / "merged.png")
    kept = [pixels_of(run / f"layer_{k}.png").astype(float) for k in range(3)]
    kept[2][..., 3] *= 0.5
    assert same_to_the_eye(pixels_of(edited / "merged.png"), composite(kept), 1)


def check_nested(program, run):
    """Two layers taken apart again, one of them twice over."""
    def again(picture, out, *names):
        program.run("decompose", "--model", DEMO / "model", "--image", picture, "--prompt", ", ".join(names), "--resolution", 128, "--any-resolution",
                    "--layers", len(names), "--steps", 2, "--no-cfg", "--device", "cpu", "--out", out)
        return out

    first = again(run / "layer_1.png", run.parent / "first", "wall", "roof")
    second = again(run / "layer_3.png", run.parent / "second", "ink", "paper", "字")
    deep = again(first / "layer_0.png", run.parent / "deep", "brick", "door")
    out = run.parent / "nested"
    program.run("export", "--in", run, "--nest", second, deep, first, "--out", out, "--format", "psd,pptx,zip")
    expected = [(NAMES[0], run / "layer_0.png"), (NAMES[1], [("wall", [("brick", deep / "layer_0.png"), ("door", deep / "layer_1.png")]),
                                                             ("roof", first / "layer_1.png")]),
                (NAMES[2], run / "layer_2.png"), (NAMES[3], [(name, second / f"layer_{k}.png") for k, name in enumerate(("ink", "paper", "字"))])]
    document = PSDImage.open(out / "layers.psd")

    def compare(layers, expected):
        assert [layer.name.removesuffix(" (empty)") for layer in layers] == [name for name, _ in expected], [layer.name for layer in layers]
        for layer, (name, content) in zip(layers, expected):
            if isinstance(content, list):
                assert layer.is_group() and layer.visible and layer.opacity == 255, name
                compare(layer, content)
                continue
            whole = Image.new("RGBA", document.size)
            if layer.width:
                whole.paste(layer.topil().convert("RGBA"), (layer.left, layer.top))
            assert same_to_the_eye(np.array(whole), pixels_of(content)), name

    compare(document, expected)
    slide = Presentation(out / "layers.pptx").slides[0]
    assert [shape.name for shape in slide.shapes] == NAMES
    assert [shape.name.removesuffix(" (empty)") for shape in slide.shapes[1].shapes] == ["wall", "roof"]
    with zipfile.ZipFile(out / "layers.zip") as archive:
        assert archive.read("layer_1/layer_0/layer_1.png") == (deep / "layer_1.png").read_bytes()
        assert archive.read("layer_3/layer_2.png") == (second / "layer_2.png").read_bytes()
        assert archive.read("layer_1.png") == (run / "layer_1.png").read_bytes()
        assert json.loads(archive.read("layer_1/run.json"))["files"] == ["layer_0.png", "layer_1.png", "composite.png"]


def check_memory(program, run):
    """Ten layers of 2048 x 2048, one of them noise, which does not pack."""
    side = 2048
    large = run.parent / "large"
    large.mkdir()
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:side, 0:side]
    for k in range(10):
        disc = np.where((x - 200 * k) ** 2 + (y - 1000) ** 2 < 700**2, 255, 0)
        pixels = np.dstack([x % 256, y % 256, np.full_like(x, 25 * k), disc]).astype(np.uint8)
        if k == 4:
            pixels = rng.integers(0, 256, (side, side, 4), dtype=np.uint8)
        Image.fromarray(pixels).save(large / f"layer_{k}.png", compress_level=1)
    program.run("merge", "--in", large, "--out", large / "composite.png")
    report = json.loads((run / "run.json").read_text())
    report["layer_size"] = {"width": side, "height": side}
    report["files"] = [*(f"layer_{k}.png" for k in range(10)), "composite.png"]
    (large / "run.json").write_text(json.dumps(report))
    alone = program.memory_of("--version")
    for kind in DOCUMENTS:
        most = program.memory_of("export", "--in", large, "--out", run.parent / "documents", "--format", kind)
        print(f"export of ten layers of {side} px as {kind}: {most / 1e6:.0f} MB, of which the program alone {alone / 1e6:.0f} MB")
        assert most < MOST_MEMORY_BYTES, (kind, most)


CHECKS = [check_edges, check_psd, check_pptx, check_ora, check_zip, check_html, check_merge, check_merge_of_edits, check_nested, check_memory]


def main():
    layerpipe, failed = needs.one_program(__doc__), 0
    with tempfile.TemporaryDirectory() as folder:
        program = Program(layerpipe)
        run = pathlib.Path(folder) / "run"
        program.run("decompose", "--model", DEMO / "model", "--image", DEMO / "pictures" / "weather.png", "--prompt", ", ".join(NAMES),
                    "--resolution", 128, "--any-resolution", "--layers", len(NAMES), "--steps", 4, "--no-cfg", "--device", "cpu", "--out", run,
                    "--format", ",".join(["png", *DOCUMENTS]))
        for check in CHECKS:
            try:
                check(program, run)
            except Exception:
                failed += 1
                print(f"FAILED {check.__name__}\n{traceback.format_exc()}", file=sys.stderr)
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
