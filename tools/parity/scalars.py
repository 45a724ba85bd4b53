"""Fixtures that need no model: schedules, noise and picture sizes, from the libraries' own functions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.qwenimage.pipeline_qwenimage import calculate_shift
from diffusers.pipelines.qwenimage.pipeline_qwenimage_layered import calculate_dimensions, retrieve_timesteps
from diffusers.utils.torch_utils import randn_tensor
from safetensors.torch import save_file

from .models import DTYPES, SCHEDULER


_STATIC = {"use_dynamic_shifting": False, "shift_terminal": None}
CONFIGS = {
    "qwen": SCHEDULER,
    "no_terminal": SCHEDULER | {"shift_terminal": None},
    "other_terminal": SCHEDULER | {"shift_terminal": 0.1},
    "linear": SCHEDULER | {"time_shift_type": "linear"},
    "linear_no_terminal": SCHEDULER | {"time_shift_type": "linear", "shift_terminal": None},
    "static_shift": SCHEDULER | _STATIC | {"shift": 3.0},
    "static_shift_terminal": SCHEDULER | {"use_dynamic_shifting": False, "shift": 3.0},
    "no_shift": SCHEDULER | _STATIC,
    "karras": SCHEDULER | {"use_karras_sigmas": True},
    "exponential": SCHEDULER | {"use_exponential_sigmas": True},
    "karras_static": SCHEDULER | _STATIC | {"shift": 3.0, "use_karras_sigmas": True},
    "inverted": SCHEDULER | {"invert_sigmas": True},
    "fewer_train_steps": SCHEDULER | {"num_train_timesteps": 500},
}


def make_scalars(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(folder / "scheduler.json", {
        "about": "float32 values as their bits", "configs": CONFIGS, "schedules": _schedules(),
    })
    _write_lines(folder / "sizes.json", {
        "columns": ["width", "height", "resolution", "out_width", "out_height"], "sizes": _sizes(),
    })
    save_file(_euler(), folder / "euler.safetensors")
    tensors, draws = _noise()
    save_file(tensors, folder / "noise.safetensors")
    _write_lines(folder / "noise.json", {"draws": draws})


def _schedules() -> list[dict]:
    found = []
    for name in CONFIGS:
        # A single step with shift_terminal divides zero by zero in diffusers, so the shortest schedule has two.
        for steps in (2, 3, 20):
            found.append(_schedule(name, steps, "layered", tokens=1600))
        found.append(_schedule(name, 8, "text_to_image", tokens=6889))
        # Without sigmas of its own the scheduler works in double precision until the end.
        found.append(_schedule(name, 7, "none", tokens=1600))
    for tokens in (16, 60, 256, 1500, 1600, 4032, 4096):
        found.append(_schedule("qwen", 30, "layered", tokens))
    for tokens in (256, 4096, 6889, 8192, 9216):
        found.append(_schedule("qwen", 30, "text_to_image", tokens))
    return found


def _schedule(name: str, steps: int, kind: str, tokens: int) -> dict:
    config = CONFIGS[name]
    scheduler = FlowMatchEulerDiscreteScheduler(**config)
    sigmas = {"layered": np.linspace(1.0, 0, steps + 1)[:-1],
              "text_to_image": np.linspace(1.0, 1 / steps, steps), "none": None}[kind]
    if kind == "text_to_image":
        mu = calculate_shift(tokens, config["base_image_seq_len"], config["max_image_seq_len"],
                             config["base_shift"], config["max_shift"])
    else:
        mu = (tokens / (256 * 256 / 16 / 16)) ** 0.5
    retrieve_timesteps(scheduler, steps if sigmas is None else None, "cpu", sigmas=sigmas, mu=mu)
    return {"config": name, "steps": steps, "sigmas_in": kind, "image_tokens": tokens, "mu": mu,
            "sigmas": _bits(scheduler.sigmas), "timesteps": _bits(scheduler.timesteps)}


def _euler() -> dict[str, torch.Tensor]:
    """The steps of the schedule "qwen", 3 steps, 1600 tokens, each from the same sample."""
    tensors = {}
    for dtype_name, dtype in DTYPES.items():
        generator = torch.Generator("cpu").manual_seed(0)
        sample, prediction = (torch.randn(7, 5, generator=generator).to(dtype) for _ in range(2))
        tensors |= {f"{dtype_name}.sample": sample, f"{dtype_name}.prediction": prediction}
        scheduler = FlowMatchEulerDiscreteScheduler(**CONFIGS["qwen"])
        retrieve_timesteps(scheduler, None, "cpu", sigmas=np.linspace(1.0, 0, 4)[:-1], mu=(1600 / 256) ** 0.5)
        for step, timestep in enumerate(scheduler.timesteps):
            tensors[f"{dtype_name}.{step}"] = scheduler.step(prediction, timestep, sample, return_dict=False)[0]
    return tensors


def _bits(values: torch.Tensor) -> list[str]:
    assert values.dtype == torch.float32
    return [f"{int(bits) & 0xFFFFFFFF:08x}" for bits in values.view(torch.int32)]


def _noise() -> tuple[dict[str, torch.Tensor], list[dict]]:
    # From 16 values on torch fills in blocks of 16 and draws the last block anew when the count is no multiple.
    shapes = [(1,), (3,), (2, 7), (15,), (16,), (17,), (31,), (3, 11), (64,), (1, 2, 16, 4, 6)]
    tensors, draws = {}, []
    for dtype_name, dtype in DTYPES.items():
        for seed in (0, 777, 2**40 + 1):
            for shape in shapes:
                key = f"{dtype_name}.{seed}.{'x'.join(map(str, shape))}"
                generator = torch.Generator("cpu").manual_seed(seed)
                tensors[key] = randn_tensor(shape, generator=generator, device=torch.device("cpu"), dtype=dtype)
                draws.append({"key": key, "dtype": dtype_name, "seed": seed, "shape": list(shape)})
    return tensors, draws


def _sizes() -> list[list[int]]:
    pictures = [(97, 61), (61, 97), (64, 64), (640, 640), (1024, 1024), (1920, 1080), (1080, 1920), (4032, 3024),
                (3000, 1000), (1, 1), (1, 7), (7, 1), (200, 40), (40, 200), (10000, 100), (100, 10000), (500, 333),
                (1023, 1025), (1284, 857), (853, 1280), (2, 3), (3, 2), (21, 9), (9, 16), (5, 4)]
    # Halves: 80 x 80 at 80 is 2.5 units of 32, which rounds to the even 2, and 112 is 3.5, which rounds to 4.
    resolutions = (640, 1024, 64, 80, 96, 112, 128, 144, 256, 512, 2048)
    return [[width, height, resolution, *calculate_dimensions(resolution * resolution, width / height)]
            for resolution in resolutions for width, height in pictures]


def _write_lines(path: Path, value: dict) -> None:
    """JSON with one line for each element, so that a change shows as the lines that changed."""
    parts = []
    for key, content in value.items():
        if isinstance(content, list) and isinstance(content[0], (dict, list)):
            lines = ",\n".join("    " + json.dumps(element) for element in content)
            parts.append(f"  {json.dumps(key)}: [\n{lines}\n  ]")
        elif isinstance(content, dict):
            lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(element)}" for name, element in content.items())
            parts.append(f"  {json.dumps(key)}: {{\n{lines}\n  }}")
        else:
            parts.append(f"  {json.dumps(key)}: {json.dumps(content)}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")
