#!/usr/bin/env python3
"""Makes a model folder with the configs of the published Qwen-Image-Layered, without weights or with random ones.

    tools/make_full_size_folder.py FOLDER
    build/layerpipe decompose --model FOLDER --random-weights --image demo/pictures/weather.png --prompt "a poster" --out layers
    tools/make_full_size_folder.py FOLDER --weights transformer,text_encoder,vae

The sizes are those of the published model (tests/data/configs), the tokenizer is the tests' small one. Weights are files in the layout
of the published ones, with the values of --random-weights: 41 GB of the transformer, 14 of the text encoder's language model, 0.25 of
the VAE. build/bench_write_weights writes them.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import needs

CHECKOUT = Path(__file__).resolve().parent.parent
DATA = CHECKOUT / "tests" / "data"
CONFIGS = {
    "transformer": "transformer_layered.json",
    "vae": "vae_layered.json",
    "text_encoder": "text_encoder_flat.json",
}


def make_folder(folder: Path, full_size: bool = True) -> None:
    """Configs and tokenizer; of the tests' small model without full_size."""
    shutil.copytree(DATA / "parity" / "plain" / "model", folder, ignore=shutil.ignore_patterns("*.safetensors*"))
    for component, config in CONFIGS.items() if full_size else ():
        shutil.copyfile(DATA / "configs" / config, folder / component / "config.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--weights", metavar="COMPONENT,…", help="transformer, text_encoder, vae: those that get random weights")
    parser.add_argument("--writer", default=str(CHECKOUT / "build" / "bench_write_weights"), metavar="PROGRAM",
                        help="bench_write_weights of another build")
    args = parser.parse_args()
    if args.folder.exists():
        sys.exit(f"error: {args.folder} exists already")
    if args.weights and not Path(args.writer).is_file():
        needs.stop(f"there is no program {args.writer}", "launch/build.sh --all builds it.")
    make_folder(args.folder)
    if args.weights:
        done = subprocess.run([args.writer, "--model", args.folder, "--components", args.weights])
        if done.returncode != 0:
            shutil.rmtree(args.folder)
            sys.exit(done.returncode if done.returncode > 0 else 1)


if __name__ == "__main__":
    main()
