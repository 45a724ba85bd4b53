"""The program that makes the demo's contact sheet beside the Pillow code that makes the training's: the same pixels.

    python3 tests/launch/demo/contact_sheet_parity.py BUILD/contact_sheet
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import needs  # noqa: E402

needs.packages("numpy", "PIL")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from demo_model import contact_sheet  # noqa: E402


def make_result(rng, folder, size, layers):
    folder.mkdir()
    for name in [*(f"layer_{i}" for i in range(layers)), "composite"]:
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8), "RGBA").save(folder / f"{name}.png")


def main():
    program = needs.one_program(__doc__)
    rng = np.random.default_rng(5)
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        arguments = []
        for number, (size, layers, picture_size, mode) in enumerate([((64, 48), 3, (200, 150), "RGB"), ((33, 70), 11, (33, 70), "RGBA")]):
            make_result(rng, work / str(number), size, layers)
            pixels = rng.integers(0, 256, (picture_size[1], picture_size[0], len(mode)), dtype=np.uint8)
            Image.fromarray(pixels, mode).save(work / f"{number}.png")
            arguments += [work / f"{number}.png", work / str(number)]
        subprocess.run([program, work / "ours.png", *arguments], check=True)
        ours = np.asarray(Image.open(work / "ours.png").convert("RGB"), int)
        theirs = np.asarray(contact_sheet.stack([contact_sheet.folder_row(*pair) for pair in zip(arguments[::2], arguments[1::2])]), int)
        if ours.shape != theirs.shape or (ours != theirs).any():
            sys.exit(f"the sheets differ: {ours.shape} and {theirs.shape}")
        wrong = subprocess.run([program, work / "sheet.png", work / "0.png", work], capture_output=True, text=True)
        if wrong.returncode != 2 or not wrong.stderr.startswith(f"contact_sheet: cannot open {work}/layer_0.png"):
            sys.exit(f"a folder without layers: {wrong.stderr}")
    print("the same pixels")


if __name__ == "__main__":
    main()
