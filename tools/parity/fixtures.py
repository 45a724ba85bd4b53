"""Writes a case: model folder, picture, call and expected tensors."""

from __future__ import annotations

import json
import platform
import zlib
from pathlib import Path

import diffusers
import numpy as np
import PIL
import safetensors
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

from . import reference
from .models import make_model
from .specs import DEMO, Call, Case, describe


def make_case(folder: Path, case: Case) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    make_model(folder / "model", case)
    make_picture(folder / "input.png", case.name, case.call)
    expected = expected_tensors(folder, case)
    if case.bf16:
        expected["bf16.noise"] = _own_noise_in_bf16(folder, case)
    _write_expected(folder, expected)
    (folder / "case.json").write_text(json.dumps(case_json(case), indent=2, ensure_ascii=False) + "\n", "utf-8")


def make_case_to_compare(folder: Path, case: Case) -> None:
    """What make_table.py reads of a case."""
    folder.mkdir(parents=True, exist_ok=True)
    make_model(folder / "model", case)
    make_picture(folder / "input.png", case.name, case.call)
    _write_expected(folder, expected_tensors(folder, case))


def make_demo_case(folder: Path, case: Case) -> None:
    """Links to what is there in place of a model and a picture made for the case."""
    folder.mkdir(parents=True)
    (folder / "model").symlink_to(DEMO / "model")
    (folder / "input.png").symlink_to(DEMO / "pictures" / "weather.png")
    _write_expected(folder, expected_tensors(folder, case))


def _write_expected(folder: Path, expected: dict[str, torch.Tensor]) -> None:
    save_file(dict(sorted(expected.items())), folder / "expected.safetensors")


def _own_noise_in_bf16(folder: Path, case: Case) -> torch.Tensor:
    """The first values of the noise that diffusers draws itself in bf16."""
    pipe = reference.load_pipeline(folder / "model", torch.bfloat16)
    return reference.starting_noise(pipe, folder / "input.png", case.call).flatten()[:64].clone()


def expected_tensors(folder: Path, case: Case) -> dict[str, torch.Tensor]:
    image = folder / "input.png"
    expected = reference.run(reference.load_pipeline(folder / "model", torch.float32), image, case.call)
    if case.bf16:
        pipe = reference.load_pipeline(folder / "model", torch.bfloat16)
        half = reference.run(pipe, image, case.call, init_latents=expected["init_latents"].to(torch.bfloat16))
        # What bf16 does not change, and the starting noise that was handed in, need no second copy.
        for name in ("init_latents", "resized", "sigmas", "timesteps", "prompt_ids", "negative_prompt_ids"):
            half.pop(name, None)
        expected |= {f"bf16.{name}": tensor for name, tensor in half.items()}
    if not case.decoded:
        del expected["decoded"]
    return expected


def make_picture(path: Path, key: str, call: Call) -> None:
    """Smooth colours; with alpha, places that are fully clear and fully opaque and everything between."""
    rng = np.random.default_rng(zlib.crc32(f"{key}/picture".encode()))
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 4), dtype=np.uint8), "RGBA")
    # Plane by plane: resized as RGBA, Pillow would go through premultiplied alpha.
    planes = [np.asarray(plane.resize(call.picture, Image.Resampling.BICUBIC)) for plane in coarse.split()]
    planes[3] = np.clip(planes[3].astype(np.int32) * 2 - 128, 0, 255).astype(np.uint8)
    Image.fromarray(np.stack(planes[: len(call.mode)], axis=-1), call.mode).save(path)


def case_json(case: Case) -> dict:
    call = case.call
    return {
        "name": case.name,
        "prompt": call.prompt,
        "negative_prompt": call.negative_prompt,
        "layers": call.layers,
        "resolution": call.resolution,
        "steps": call.steps,
        "true_cfg_scale": call.true_cfg_scale,
        "cfg_normalize": call.cfg_normalize,
        "seed": call.seed,
        "image": "input.png",
        "bf16": case.bf16,
        "spec": describe(case),
        "versions": {
            "diffusers": diffusers.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "python": platform.python_version(),
            "safetensors": safetensors.__version__,
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
        },
    }
