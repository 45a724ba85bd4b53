"""Writes random documents as PSD and compares what another program reads with what went in.

    python3 tests/media/psd_parity.py BUILD/tests/media_tool [--reader psd-tools|imagemagick|gimp] [--cases N] [--seed N]

psd-tools is asked for everything; ImageMagick for the pixels and places of the layers and for the merged picture; GIMP 2.10 for
the names, pixels, places, opacities and modes of the layers, and for what they look like together.
Exit code 1 and a line for each difference; 77 when ImageMagick or GIMP is asked for and not there. Needs psd-tools, numpy and Pillow.
"""

import argparse
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import needs  # noqa: E402

needs.packages("numpy", "PIL", "psd_tools")

import numpy as np  # noqa: E402
from PIL import Image, ImageCms  # noqa: E402

from make_srgb_profile import srgb_profile  # noqa: E402

NAMES = ["Hintergrund", "Höhle/\"1\" 'a' \\ é", "🎈 図層", "two\nlines\r\n\ttab\x01\x7f\x85\u2028", "", " \n", "a:b|c<d>e*?", "-1",
         "</Layer group>", "x" * 10_000, "🎈" * 5_000, "y" + "🎈" * 5_000]
GIMP_NORMAL = "28"
# What GIMP is told: to write every layer as a picture, from the top, and a line about each; then all layers on each other.
READ_WITH_GIMP = """
(define (save image layer file) (file-png-save2 RUN-NONINTERACTIVE image layer file file 0 1 0 0 0 0 0 0 1))
(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE %(file)s %(file)s)))
       (layers (vector->list (cadr (gimp-image-get-layers image))))
       (lines (open-output-file %(lines)s)))
  (define (print . values) (for-each (lambda (value) (display value lines) (newline lines)) values))
  (print (car (gimp-image-width image)) (car (gimp-image-height image)))
  (for-each (lambda (layer)
    (print (car (gimp-item-get-name layer)) (car (gimp-drawable-offsets layer)) (cadr (gimp-drawable-offsets layer))
           (car (gimp-layer-get-opacity layer)) (car (gimp-layer-get-mode layer)) (car (gimp-item-get-visible layer)))
    (save image layer (string-append %(stem)s (number->string layer) ".png"))
    (print (string-append (number->string layer) ".png"))) layers)
  (close-output-port lines)
  (let ((merged (car (gimp-image-merge-visible-layers image CLIP-TO-IMAGE))))
    (gimp-layer-resize-to-image-size merged) ; one layer alone keeps its size
    (save image merged (string-append %(stem)s "merged.png"))))
(gimp-quit 0)
"""
COMPOSITE_LEVELS = 2  # what psd-tools' own sums, in float and of colours that are not premultiplied, may differ by


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.decode().strip()}")
    return done.stdout


def random_layer(rng, width, height):
    layer = np.zeros((height, width, 4), np.uint8)
    if rng.integers(6) == 0:
        return layer
    left, top = rng.integers(width), rng.integers(height)
    right, bottom = rng.integers(left, width) + 1, rng.integers(top, height) + 1
    if rng.integers(4) == 0:
        left, top, right, bottom = 0, 0, width, height
    pixels = rng.integers(0, 256, (bottom - top, right - left, 4))
    style = rng.integers(5)
    if style == 0:
        pixels[..., 3] = 255
    elif style == 1:
        pixels[..., 3] = 255 * (pixels[..., 3] > 200)
    elif style == 2:  # flat colours: long runs
        pixels[...] = rng.integers(0, 256, 4)
        pixels[..., 3] |= 1
    elif style == 3:  # smooth
        pixels[...] = (np.arange(right - left)[:, None] * 3 + rng.integers(0, 256, 4)) % 256
    layer[top:bottom, left:right] = pixels
    return layer


def content_box(layer):
    """left, top, right, bottom."""
    rows, columns = np.nonzero(layer[..., 3].any(1))[0], np.nonzero(layer[..., 3].any(0))[0]
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if rows.size else (0, 0, 0, 0)


def safe_name(name, index):
    """What psd_names.h and psd_writer.h say."""
    name = "".join(" " if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" else c for c in name)
    while len(name.encode("utf-16-be")) > 2 * 255:
        name = name[:-1]
    return name if name.strip(" ") else f"Layer {index + 1}"


def on_white(picture):
    """What psd_preview.h says."""
    color, alpha = picture[..., :3].astype(int), picture[..., 3:].astype(int)
    return np.dstack([np.floor((color * alpha + 255 * (255 - alpha)) / 255 + 0.5).astype(np.uint8), picture[..., 3:]])


def off_white(stored):
    """What readers make of on_white(): exact to half a level of what was stored."""
    alpha = stored[..., 3:].astype(float)
    return (stored[..., :3] - (255 - alpha)) * 255 / np.maximum(alpha, 1)


def random_groups(rng, layers):
    """(name, begin, end): up to two apart, and up to one in each of them."""
    groups, begin = [], int(rng.integers(2))
    while begin < layers and len(groups) < 4 and rng.integers(3):
        end = int(rng.integers(begin, layers)) + 1
        groups.append((NAMES[rng.integers(3)], begin, end))
        if rng.integers(2):
            inner = int(rng.integers(begin, end))
            groups.append(("in " + NAMES[rng.integers(3)], inner, int(rng.integers(inner, end)) + 1))
        begin = end
    return groups


def tree(groups, begin, end, names):
    """Names from the back, those of a group behind its own."""
    result, groups = [], list(groups)
    while begin < end:
        if groups and groups[0][1] == begin:
            (name, _, group_end), inner = groups[0], []
            while len(groups) > len(inner) + 1 and groups[len(inner) + 1][1] < group_end:
                inner.append(groups[len(inner) + 1])
            result.append((name, tree(inner, begin, group_end, names)))
            groups, begin = groups[len(inner) + 1:], group_end
        else:
            result.append(names[begin])
            begin += 1
    return result


class Case:
    """A random document, written."""

    def __init__(self, rng, tool, folder, number, with_groups):
        self.file = folder / "out.psd"
        self.width, self.height = (int(v) for v in rng.integers(1, 400 if number % 8 == 0 else 90, 2))
        self.layers = [random_layer(rng, self.width, self.height) for _ in range(rng.integers(1, 7))]
        self.names = [NAMES[i] for i in rng.integers(0, len(NAMES), len(self.layers))]
        self.title = f"case {number}: {self.width} x {self.height}, {len(self.layers)} layers"
        files = []
        for i, layer in enumerate(self.layers):
            files.append(folder / f"{i}.png")
            Image.fromarray(layer).save(files[-1])
        words = [word for name, file in zip(self.names, files) for word in ("layer", name, file)]
        self.groups = random_groups(rng, len(self.layers)) if with_groups else []
        words += [str(word) for group in self.groups for word in ("group", *group)]
        run(tool, "psd", self.file, "generator", "media_tool", *words)
        run(tool, "composite", folder / "composite.png", *words)
        with Image.open(folder / "composite.png") as picture:
            self.composite = np.asarray(picture)

    def boxes(self):
        return [content_box(layer) for layer in self.layers]

    def content(self, index):
        left, top, right, bottom = content_box(self.layers[index])
        return self.layers[index][top:bottom, left:right]


def levels_apart(a, b):
    """The most that two pictures differ by where somebody sees it: as they look on white and on black, and in alpha."""
    a, b = a.astype(float), b.astype(float)
    seen = [np.dstack([p[..., :3] * p[..., 3:] / 255, 255 - p[..., 3]]) for p in (a, b)]
    return np.abs(seen[0] - seen[1]).max()


def profile_moves_colors(profile):
    colors = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    moved = ImageCms.profileToProfile(Image.fromarray(colors), source, ImageCms.createProfile("sRGB"))
    return np.abs(np.asarray(moved).astype(int) - colors).max() > 1


def differences_by_psd_tools(case, _):
    from psd_tools import PSDImage
    from psd_tools.constants import BlendMode, ChannelID, Resource

    psd = PSDImage.open(case.file)
    if (psd.width, psd.height, psd.channels, psd.depth) != (case.width, case.height, 4, 8):
        yield f"the picture is {psd}"
    def tree_in(group):
        return [(layer.name, tree_in(layer)) if layer.is_group() else layer.name for layer in group]

    names = [safe_name(name, i) for i, name in enumerate(case.names)]
    if tree_in(psd) != tree([(safe_name(name, 0), *ends) for name, *ends in case.groups], 0, len(names), names):
        yield f"names are {tree_in(psd)}"
    layers = [layer for layer in psd.descendants() if not layer.is_group()]
    for group in (layer for layer in psd.descendants() if layer.is_group()):
        if (group.visible, group.opacity, group.blend_mode) != (True, 255, BlendMode.PASS_THROUGH):
            yield f"a group is {group}"
    if [tuple(layer.bbox) for layer in layers] != case.boxes():
        yield f"boxes are {[layer.bbox for layer in layers]} instead of {case.boxes()}"
        return
    for i, layer in enumerate(layers):
        if (layer.kind, layer.visible, layer.opacity, layer.blend_mode) != ("pixel", True, 255, BlendMode.NORMAL):
            yield f"layer {i} is {layer}"
        if len(layer._record.name) > 255 or any(ord(c) > 126 for c in layer._record.name):
            yield f"layer {i} is called {layer._record.name!r} in ASCII"
        if [channel.id for channel in layer._record.channel_info] != [ChannelID.TRANSPARENCY_MASK, 0, 1, 2]:
            yield f"layer {i} has other channels"
        if case.content(i).size and not np.array_equal(np.asarray(layer.topil(apply_icc=False)), case.content(i)):
            yield f"pixels of layer {i} differ"
    stored = [np.frombuffer(channel, np.uint8) for channel in psd._record.image_data.get_data(psd._record.header)]
    if not np.array_equal(np.stack(stored, 1).reshape(case.height, case.width, 4), on_white(case.composite)):
        yield "the stored merged picture is another"
    by_layers = np.asarray(psd.composite(force=True, apply_icc=False).convert("RGBA"))
    if levels_apart(by_layers, case.composite) > COMPOSITE_LEVELS:
        yield f"layers put together differ by {levels_apart(by_layers, case.composite)}"
    merged = np.asarray(psd.topil(apply_icc=False))
    if merged.shape != case.composite.shape or levels_apart(merged, case.composite) > 1:
        yield "the merged picture differs"
    profile = psd.image_resources.get_data(Resource.ICC_PROFILE)
    if profile != srgb_profile() or profile_moves_colors(profile):
        yield "the profile is not the one of tools/make_srgb_profile.py"
    thumbnail, scale = psd.thumbnail(), 160 / max(case.width, case.height)
    expected = (max(1, round(case.width * min(scale, 1))), max(1, round(case.height * min(scale, 1))))
    if np.abs(np.subtract(thumbnail.size, expected)).max() > 1:  # halves are rounded either way
        yield f"the thumbnail has {thumbnail.size} pixels instead of {expected}"
    means = np.asarray(thumbnail.convert("RGB")).mean((0, 1)), on_white(case.composite)[..., :3].mean((0, 1))
    if case.width * case.height >= 1000 and np.abs(means[0] - means[1]).max() > 8:  # JPEG shifts the colours of smaller noise
        yield f"the thumbnail has mean colours of {means[0]} instead of {means[1]}"


def differences_by_imagemagick(case, program):
    out = case.file.with_suffix(".rgba")
    geometry = run(*program, case.file, "-format", "%w %h %X %Y\n", "info:").decode().split("\n")[:-1]
    filled = [i for i, box in enumerate(case.boxes()) if box[2]]
    expected = [(case.width, case.height, 0, 0)] + [(r - l, b - t, l, t) for l, t, r, b in (case.boxes()[i] for i in filled)]
    actual = [tuple(int(part) for part in line.split()) for line in geometry]
    if actual != expected:  # it passes over layers without pixels
        yield f"sizes and offsets are {actual} instead of {expected}"
        return
    for scene, (width, height, _, _) in enumerate(expected):
        run(*program, f"{case.file}[{scene}]", "-depth", "8", f"rgba:{out}")
        pixels = np.fromfile(out, np.uint8).reshape(height, width, 4)
        if scene and not np.array_equal(pixels, case.content(filled[scene - 1])):
            yield f"pixels of layer {filled[scene - 1]} differ"
        if not scene and levels_apart(pixels, case.composite) > 1:
            yield f"the merged picture differs by {levels_apart(pixels, case.composite)}"


def with_gimp(case, program):
    """What READ_WITH_GIMP writes: its lines, and a function that gives the picture of a name."""
    folder = case.file.parent / "gimp"
    folder.mkdir(exist_ok=True)
    script, lines = folder / "read.scm", folder / "lines"
    lines.unlink(missing_ok=True)
    paths = {"file": case.file, "lines": lines, "stem": f"{folder}/layer-"}
    script.write_text(READ_WITH_GIMP % {name: json.dumps(str(path)) for name, path in paths.items()})
    # With a profile of its own; the second -b ends it after an error.
    done = subprocess.run([*program, "-i", "-d", "-f", "-b", f"(load {json.dumps(str(script))})", "-b", "(gimp-quit 1)"],
                          capture_output=True, timeout=120, env={**os.environ, "GIMP2_DIRECTORY": str(folder / "profile")})
    if not (folder / "layer-merged.png").exists() or not lines.exists():
        raise RuntimeError(f"GIMP: {(done.stdout + done.stderr).decode(errors='replace').strip()}")

    def picture(name):
        with Image.open(folder / f"layer-{name}") as opened:
            pixels = np.asarray(opened.convert("RGBA"))
        (folder / f"layer-{name}").unlink()
        return pixels

    return lines.read_text().split("\n")[:-1], picture


def in_gimp(name):
    """Without the number with which GIMP tells layers of one name apart ("sky #1"), and the spaces at the end that it drops."""
    return re.sub(r" #\d+$", "", name).rstrip(" ")


def differences_by_gimp(case, program):
    lines, picture = with_gimp(case, program)
    if lines[:2] != [str(case.width), str(case.height)]:
        yield f"the picture has {lines[:2]} pixels"
    layers = [lines[start:start + 7] for start in range(2, len(lines), 7)][::-1]
    names, expected = [in_gimp(layer[0]) for layer in layers], [in_gimp(safe_name(name, i)) for i, name in enumerate(case.names)]
    if names != expected:
        yield f"names are {names} instead of {expected}"
        return
    for i, (_, left, top, opacity, mode, visible, file) in enumerate(layers):
        if (float(opacity), mode, visible) != (100, GIMP_NORMAL, "1"):
            yield f"layer {i} has the opacity {opacity}, the mode {mode}, the visibility {visible}"
        pixels, content = picture(file), case.content(i)
        if not content.size:  # it makes the layer as large as the picture
            if pixels[..., 3].any():
                yield f"layer {i} is not empty"
        elif (int(left), int(top)) != case.boxes()[i][:2] or not np.array_equal(pixels, content):
            yield f"layer {i} of {pixels.shape} at {left}, {top} is not that of {content.shape} at {case.boxes()[i][:2]}"
    merged = picture("merged.png")
    if merged.shape != case.composite.shape or levels_apart(merged, case.composite) > COMPOSITE_LEVELS:
        yield "layers put together differ"


def imagemagick():
    """The command, or None. A `convert` need not be ImageMagick's."""
    for command in (["magick"], ["convert"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, "-version"], capture_output=True, text=True, timeout=60)
            if done.returncode == 0 and "ImageMagick" in done.stdout:
                return command
    return None


def gimp():
    """The command, or None. GIMP 3 has other procedures."""
    for command in ("gimp-console-2.10", "gimp-2.10", "gimp"):
        if shutil.which(command):
            done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60)
            if done.returncode == 0 and " 2.10." in done.stdout:
                return [command]
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", type=needs.program)
    parser.add_argument("--reader", choices=("psd-tools", "imagemagick", "gimp"), default="psd-tools")
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program, differences = None, differences_by_psd_tools
    if options.reader == "imagemagick":
        program, differences = imagemagick(), differences_by_imagemagick
        if program is None:
            print("Install ImageMagick to run this.")
            return 77
    if options.reader == "gimp":
        program, differences = gimp(), differences_by_gimp
        if program is None:
            print("Install GIMP 2.10 to run this.")
            return 77
    rng = np.random.default_rng(options.seed)
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.cases):
            case = Case(rng, options.tool, pathlib.Path(folder), number, options.reader == "psd-tools")
            found = list(differences(case, program))
            differing += bool(found)
            for text in found:
                print(f"{case.title}: {text}")
    print(f"{options.cases} documents read by {options.reader}, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
