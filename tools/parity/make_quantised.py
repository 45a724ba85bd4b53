#!/usr/bin/env python3
"""Makes the committed files of tests/data/quantised: a component of tests/data/parity/plain in each quantised format,
and the latents that diffusers computes in fp32 with the weights that it stands for.

    python tools/parity/make_quantised.py            all, in place
    python tools/parity/make_quantised.py --check    makes them in a temporary folder and compares
"""

import os
import sys

if __debug__:
    os.execv(sys.executable, [sys.executable, "-O", *sys.argv])  # see make_fixtures.py

os.environ["HF_HUB_OFFLINE"] = "1"

import argparse
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import needs  # noqa: E402

needs.packages("numpy", "torch", "PIL", "safetensors", "diffusers", "transformers")

import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from parity import quantised, reference, specs  # noqa: E402

DATA = ROOT / "tests" / "data"
CASE = DATA / "parity" / "plain"
STEMS = {"transformer": "diffusion_pytorch_model", "text_encoder": "model"}
TOLERANCE = 5e-6  # see check_fixtures.py


def latents_of(component: str, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    call = next(case.call for case in specs.COMMITTED if case.name == CASE.name)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        shutil.copytree(CASE / "model", model)
        save_file(weights, model / component / f"{STEMS[component]}.safetensors", {"format": "pt"})
        return reference.run(reference.load_pipeline(model, torch.float32), CASE / "input.png", call)["latents"]


def make(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    latents = {}
    for name, quantise in sorted(quantised.FORMATS.items()):
        component = "text_encoder" if name.endswith("_text") else "transformer"
        weights = load_file(CASE / "model" / component / f"{STEMS[component]}.safetensors")
        made = quantise(dict(sorted(weights.items())))
        save_file(made.tensors, out / f"{name}.safetensors", made.metadata or None)
        latents[name] = latents_of(component, made.meaning)
        print(name, flush=True)
    save_file(latents, out / "latents.safetensors")
    for file in out.iterdir():
        file.chmod(0o644)  # safetensors keeps others out


def check() -> int:
    different = []
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        make(made)
        for file in sorted(made.iterdir()):
            there, now = load_file(DATA / "quantised" / file.name), load_file(file)
            if there.keys() != now.keys():
                different.append(f"{file.name}: other tensors")
                continue
            for name, tensor in now.items():
                if file.name == "latents.safetensors":
                    same = (there[name] - tensor).norm() <= TOLERANCE * tensor.norm()
                else:
                    same = there[name].dtype == tensor.dtype and torch.equal(
                        there[name].reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8))
                if not same:
                    different.append(f"{file.name}: {name}")
    print("\n".join(different) or "nothing differs")
    return 1 if different else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    args = parser.parse_args()
    reference.quiet()
    if args.check:
        return check()
    make(DATA / "quantised")
    return 0


if __name__ == "__main__":
    sys.exit(main())
