"""Layers for the tests of documents, and the tool that writes them."""

import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image

OCTOPUS = "\N{OCTOPUS}"

# What a layer is called, and what a document calls it: one line of valid text of at most 255 bytes.
NAMES = [
    ("", ""),
    ("sky", "sky"),
    ("same", "same"),
    ("same", "same"),
    ("a/b\\c:d*e?f\"g<h>i|j&'k", "a/b\\c:d*e?f\"g<h>i|j&'k"),
    ("one\ntwo\r\nthree\tfour", "one two  three four"),
    ("bell \x07 escape \x1b[31m delete \x7f", "bell \ufffd escape \ufffd[31m delete \ufffd"),
    ("not\ufffea character", "not\ufffda character"),
    (f"h\u00f6hle {OCTOPUS} \N{WOMAN}\u200d\N{ROCKET} \u6d77", f"h\u00f6hle {OCTOPUS} \N{WOMAN}\u200d\N{ROCKET} \u6d77"),
    ("../../etc/passwd", "../../etc/passwd"),
    ("C:\\NUL", "C:\\NUL"),
    ("x" * 10_000, "x" * 255),
    (OCTOPUS * 2_500, OCTOPUS * 63),
    ("]]><!--&#0;&lol;", "]]><!--&#0;&lol;"),
]


class Tool:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)

    def run(self, *words):
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(f"media_tool {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def write(self, kind, layers, title="a hill", name="document", groups=()):
        """Writes `layers`, pairs of a name and an array, in `groups` (name, begin, end); the path of the document."""
        words = []
        for i, (layer_name, pixels) in enumerate(layers):
            file = self.folder / f"{name}-{i}.png"
            Image.fromarray(pixels).save(file, compress_level=1)
            words += ["layer", layer_name, file]
        words += [word for group in groups for word in ("group", *group)]
        out = self.folder / f"{name}.{kind}"
        self.run(kind, out, "title", title, "generator", "layerpipe test", "parameter", "Seed", "777", *words)
        return out


def peak_mib_of(*command):
    """The most memory that a program held at once, asked of a process that has no other child."""
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)")
    done = subprocess.run([sys.executable, "-c", code, *map(str, command)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def noise(rng, width, height, box=None):
    """Transparent black but for noise in box (left, top, right, bottom), in which every pixel is visible."""
    pixels = np.zeros((height, width, 4), np.uint8)
    left, top, right, bottom = box or (0, 0, width, height)
    part = rng.integers(0, 256, (bottom - top, right - left, 4), np.uint8)
    part[..., 3] |= 1
    pixels[top:bottom, left:right] = part
    return pixels


def random_box(rng, width, height):
    left, right = sorted(rng.choice(width + 1, 2, replace=False))
    top, bottom = sorted(rng.choice(height + 1, 2, replace=False))
    return int(left), int(top), int(right), int(bottom)


def composite(layers):
    """All layers on each other, from the back: the over operator in double precision, rounded once."""
    color, alpha = np.zeros((*layers[0].shape[:2], 3)), np.zeros((*layers[0].shape[:2], 1))
    for layer in layers:
        above = layer[..., 3:] / 255
        color = above * layer[..., :3] + (1 - above) * color
        alpha = above + (1 - above) * alpha
    straight = np.divide(color, alpha, out=np.zeros_like(color), where=alpha > 0)
    return np.rint(np.concatenate([straight, 255 * alpha], axis=2)).astype(np.uint8)


def same_picture(actual, expected):
    """Whether alpha is equal everywhere, and colours where one can see them."""
    visible = expected[..., 3] != 0
    return (actual.shape == expected.shape and np.array_equal(actual[..., 3], expected[..., 3])
            and np.array_equal(actual[visible], expected[visible]))
