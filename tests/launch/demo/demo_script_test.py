"""Runs launch/demo.sh on programs that are built, as a user's second command would.

    python3 tests/launch/demo/demo_script_test.py --built BUILD

Standard library only: like the demo itself, it needs no Python packages.
"""

import argparse
import resource
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# A minute on two cores, as the README says. Processor time, since how long it takes beside other programs is nothing to test;
# about 22 s are used.
CPU_SECONDS = 120
LAYERS, GAP = 4, 6


def demo(*arguments):
    return subprocess.run([ROOT / "launch" / "demo.sh", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def png_size(path):
    return struct.unpack(">II", path.read_bytes()[16:24])


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(what)


def check_arguments():
    unknown = demo("--picture", "mine.png")
    check(unknown.returncode == 2 and "error: unknown argument --picture" in unknown.stderr, "an unknown argument is refused")
    check(demo("--built").stderr == "error: --built needs a folder\n", "an option without its folder is refused")
    check("--out FOLDER" in demo("--help").stdout, "there is a help")


def check_run(built, out):
    run = demo("--built", built, "--out", out)
    print(run.stdout + run.stderr)
    check(run.returncode == 0, "the demo ends well")
    pictures = sorted((ROOT / "demo" / "pictures").glob("*.png"))
    check(len(pictures) >= 3, f"{len(pictures)} pictures are there")
    width = height = 0
    for picture in pictures:
        files = sorted(f.name for f in (out / picture.stem).iterdir())
        check(files == ["composite.png", *(f"layer_{i}.png" for i in range(LAYERS)), "run.json"], f"{picture.stem} was taken apart")
        layer = png_size(out / picture.stem / "layer_0.png")
        width = max(width, (layer[0] + GAP) * (LAYERS + 2) + GAP)
        height += layer[1] + 2 * GAP
    last = run.stderr.splitlines()[-1]
    check(last.endswith(f": {out / 'sheet.png'}"), "the last line names the contact sheet")
    check(png_size(out / "sheet.png") == (width, height), "which has a row for each picture")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = usage.ru_utime + usage.ru_stime
    check(seconds <= CPU_SECONDS, f"{seconds:.1f} s of processor time, at most {CPU_SECONDS}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--built", type=Path, required=True, help="the build folder")
    args = parser.parse_args()
    check_arguments()
    with tempfile.TemporaryDirectory() as folder:
        check_run(args.built.resolve(), Path(folder).resolve() / "with blanks" / "out")


if __name__ == "__main__":
    main()
