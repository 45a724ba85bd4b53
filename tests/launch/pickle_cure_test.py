#!/usr/bin/env python3
"""The commands that layerpipe gives for weights that are pickles, followed: what they write is read, and gives the same bits.

    python3 tests/launch/pickle_cure_test.py LAYERPIPE

Needs torch, diffusers and transformers. The commands say python3, which is this Python here.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import needs  # noqa: E402

needs.packages("torch", "safetensors", "diffusers", "transformers")

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

CASE = ROOT / "tests" / "data" / "parity" / "plain"
STEM = {"text_encoder": "model", "transformer": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}


def weights(model: Path, component: str) -> Path:
    return model / component / f"{STEM[component]}.safetensors"


def as_pickle(component: str, name: str, wrapped: bool = False):
    """Puts a pickle in the place of a component's weights."""
    def change(model: Path) -> None:
        tensors = load_file(weights(model, component))
        torch.save({"state_dict": tensors} if wrapped else tensors, model / component / name)
        weights(model, component).unlink()
    return change


def as_shards(component: str, stem: str):
    """The same as two pickles with an index."""
    def change(model: Path) -> None:
        tensors = load_file(weights(model, component))
        names, files = sorted(tensors), [f"{stem}-0000{i}-of-00002.bin" for i in (1, 2)]
        for i, file in enumerate(files):
            torch.save({name: tensors[name] for name in names[i::2]}, model / component / file)
        index = {"metadata": {"total_size": 0}, "weight_map": {name: files[i % 2] for i, name in enumerate(names)}}
        (model / component / f"{stem}.bin.index.json").write_text(json.dumps(index))
        weights(model, component).unlink()
    return change


CHANGES = {
    "a VAE": as_pickle("vae", "diffusion_pytorch_model.bin"),
    "a VAE as a variant": as_pickle("vae", "diffusion_pytorch_model.bf16.bin"),
    "a transformer in shards": as_shards("transformer", "diffusion_pytorch_model"),
    "a text encoder": as_pickle("text_encoder", "pytorch_model.bin"),
    "a VAE under a name of its own": as_pickle("vae", "the vae's.pt"),
    "a checkpoint of a training": as_pickle("vae", "last.ckpt", wrapped=True),
}


def run(program: str, model: Path, out: Path) -> subprocess.CompletedProcess:
    return subprocess.run([program, "decompose", "--model", model, "--image", CASE / "input.png", "--prompt", "a fox", "--out", out, "--device",
                           "cpu", "--resolution", "64", "--any-resolution", "--steps", "1", "--layers", "2", "--quiet"],
                          capture_output=True, text=True, timeout=120)


def hashes(out: Path) -> list[str]:
    return json.loads((out / "run.json").read_text())["layer_hashes"]


def check(program: str, change, folder: Path, expected: list[str], path: str) -> str:
    """What went wrong; nothing when the cure helped."""
    model = folder / "a model"
    shutil.copytree(CASE / "model", model)
    change(model)
    refused = run(program, model, folder / "out")
    lines = refused.stderr.splitlines()
    if refused.returncode != 2 or len(lines) != 2 or not lines[1].startswith("  Convert it: "):
        return f"was not refused with a command: {refused.stderr}"
    done = subprocess.run(["sh", "-c", lines[1].removeprefix("  Convert it: ")], cwd=folder, capture_output=True, text=True, timeout=300,
                          env=os.environ | {"PATH": path, "HF_HUB_OFFLINE": "1"})
    if done.returncode != 0:
        return f"the command failed: {done.stderr}"
    again = run(program, model, folder / "out")
    if again.returncode != 0:
        return f"is still refused: {again.stderr}"
    return "" if hashes(folder / "out") == expected else "gives other bits"


def main() -> int:
    program, failed = needs.one_program(__doc__), 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        (scratch / "bin").mkdir()
        (scratch / "bin" / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (scratch / "bin" / "python3").chmod(0o755)
        path = f"{scratch / 'bin'}:{os.environ['PATH']}"
        run(program, CASE / "model", scratch / "plain").check_returncode()
        for number, (name, change) in enumerate(CHANGES.items()):
            folder = scratch / str(number)
            folder.mkdir()
            problem = check(program, change, folder, hashes(scratch / "plain"), path)
            failed += bool(problem)
            print(f"{name}: {problem or 'converted, with the same bits'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
