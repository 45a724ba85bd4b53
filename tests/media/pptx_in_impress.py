"""Lets LibreOffice Impress draw a presentation that layerpipe wrote, and compares the slide with the layers put together.

    python3 tests/media/pptx_in_impress.py BUILD/tests/media_tool [--keep FOLDER]

Exit code 77, which ctest reports as skipped, when there is no soffice (Debian: libreoffice-impress). Needs Pillow and numpy.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import needs  # noqa: E402

needs.packages("numpy", "PIL")

import numpy as np  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402

from document_samples import Tool, composite  # noqa: E402

SIDE = (480, 320)
# Impress draws the slide at one pixel for a pixel; what is left is its rounding while it puts layers together.
LARGEST_MEAN = 0.15
LARGEST = 3
COPIES = 4  # the layers drawn with so many times the pixels, so that their edges are soft


def drawn(draw):
    picture = Image.new("RGBA", (SIDE[0] * COPIES, SIDE[1] * COPIES))
    draw(ImageDraw.Draw(picture))
    return np.array(picture.resize(SIDE, Image.Resampling.BOX))


def layers():
    y, x = np.mgrid[0:SIDE[1], 0:SIDE[0]]
    back = np.dstack([x * 255 // SIDE[0], y * 255 // SIDE[1], (x // 40 + y // 40) % 2 * 90 + 80, np.full_like(x, 255)]).astype(np.uint8)
    disc = drawn(lambda d: d.ellipse([160, 200, 1200, 1140], fill=(240, 230, 40, 255)))
    glass = drawn(lambda d: d.rectangle([600, 80, 1700, 900], fill=(20, 60, 220, 110)))
    star = drawn(lambda d: d.regular_polygon((1500, 900, 300), 5, fill=(200, 20, 60, 255)))
    return [("back", back), ("disc", disc), ("glass", glass), ("empty", np.zeros_like(back)), ("star", star)]


def slide_of(path, folder):
    profile = (folder / "profile").as_uri()
    subprocess.run(["soffice", f"-env:UserInstallation={profile}", "--headless", "--convert-to", "png", "--outdir", folder, path],
                   check=True, capture_output=True, timeout=240)
    with Image.open(folder / f"{path.stem}.png") as picture:
        return np.asarray(picture.convert("RGB"), dtype=int)


def on_white(pixels):
    canvas = Image.new("RGBA", SIDE, "white")
    canvas.alpha_composite(Image.fromarray(pixels))
    return np.asarray(canvas.convert("RGB"), dtype=int)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", type=needs.program)
    parser.add_argument("--keep", type=pathlib.Path, help="put the presentation, its slide and what it should be there")
    options = parser.parse_args()
    if not shutil.which("soffice"):
        print("LibreOffice Impress (soffice) is not installed")
        return 77
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sample = layers()
        path = Tool(options.tool, folder).write("pptx", sample)
        slide = slide_of(path, folder)
        expected = on_white(composite([pixels for _, pixels in sample]))
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, options.keep)
            for kind, pixels in (("slide", slide), ("expected", expected)):
                Image.fromarray(pixels.astype(np.uint8)).save(options.keep / f"{kind}.png")
    if slide.shape != expected.shape:
        print(f"the slide has {slide.shape[1]} x {slide.shape[0]} pixels instead of {SIDE[0]} x {SIDE[1]}")
        return 1
    difference = np.abs(slide - expected)
    # What one column of displacement, or two layers in the wrong order, would bring.
    shifted = np.abs(slide[:, 1:] - expected[:, :-1]).mean()
    swapped = np.abs(slide - on_white(composite([pixels for _, pixels in reversed(sample)]))).mean()
    print(f"difference: mean {difference.mean():.3f}, largest {difference.max()}; "
          f"controls: shifted {shifted:.2f}, reversed {swapped:.2f}")
    assert min(shifted, swapped) > 4 * LARGEST_MEAN, "the controls cannot be told apart"
    return 0 if difference.mean() <= LARGEST_MEAN and difference.max() <= LARGEST else 1


if __name__ == "__main__":
    sys.exit(main())
