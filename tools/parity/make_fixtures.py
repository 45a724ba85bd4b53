#!/usr/bin/env python3
"""Makes the committed fixtures of tests/data/parity, or random ones.

    python tools/parity/make_fixtures.py                       all that is committed, in place
    python tools/parity/make_fixtures.py --case plain --out DIR
    python tools/parity/make_fixtures.py --random 5 --seed 1 --out DIR
"""

import os
import sys

if __debug__:
    # The pipeline asserts a resolution of 640 or 1024; without assertions it takes the small ones used here.
    os.execv(sys.executable, [sys.executable, "-O", *sys.argv])

os.environ["HF_HUB_OFFLINE"] = "1"

import argparse
import shutil
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import needs  # noqa: E402

needs.packages("numpy", "torch", "PIL", "safetensors", "diffusers", "transformers")

from parity import fixtures, reference, scalars, small_scale, specs  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "data" / "parity")
    parser.add_argument("--case", action="append", help="only this committed case; may be repeated")
    parser.add_argument("--random", type=int, metavar="N", help="N random cases in place of the committed ones")
    parser.add_argument("--seed", type=int, default=0, help="of the random cases")
    args = parser.parse_args()

    reference.quiet()
    cases = specs.COMMITTED if args.random is None else specs.random_cases(args.random, args.seed)
    if args.random is None and not args.case:
        scalars.make_scalars(args.out)
        small_scale.make_small_scale(args.out)
    if args.case:
        cases = [case for case in cases if case.name in args.case]
    for case in cases:
        began = time.monotonic()
        folder = args.out / case.name
        shutil.rmtree(folder, ignore_errors=True)
        fixtures.make_case(folder, case)
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        print(f"{case.name}: {size / 1024:.0f} KiB, {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
