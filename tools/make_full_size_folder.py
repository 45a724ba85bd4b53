#!/usr/bin/env python3
"""Makes a model folder with the configs of the published Qwen-Image-Layered and no weights, for --random-weights.

    tools/make_full_size_folder.py FOLDER
    build/layerpipe decompose --model FOLDER --random-weights --image demo/pictures/weather.png --prompt "a poster" --out layers

The sizes are those of the published model (tests/data/configs), the tokenizer is the tests' small one.
"""

import shutil
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
CONFIGS = {
    "transformer": "transformer_layered.json",
    "vae": "vae_layered.json",
    "text_encoder": "text_encoder_flat.json",
}


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    folder = Path(sys.argv[1])
    if folder.exists():
        sys.exit(f"error: {folder} exists already")
    shutil.copytree(DATA / "parity" / "plain" / "model", folder, ignore=shutil.ignore_patterns("*.safetensors*"))
    for component, config in CONFIGS.items():
        shutil.copyfile(DATA / "configs" / config, folder / component / "config.json")


if __name__ == "__main__":
    main()
