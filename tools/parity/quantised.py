"""Weights in the quantised formats that people have, each beside what it stands for.

Nothing here is taken from layerpipe: each format is written as its own program writes it, and what it stands for is
worked out in double.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

LARGEST_E4M3 = 448.0
Tensors = dict[str, torch.Tensor]


@dataclass
class Quantised:
    component: str = "transformer"
    tensors: Tensors = field(default_factory=dict)  # by their names in the file
    metadata: dict[str, str] = field(default_factory=dict)
    meaning: Tensors = field(default_factory=dict)  # fp32, by the network's names


def is_linear(name: str, tensor: torch.Tensor) -> bool:
    return name.endswith(".weight") and tensor.dim() == 2 and "embed" not in name.split(".")[-2]


def to_e4m3(weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """torch's own conversion does not clamp: 465 and more become NaN."""
    return (weight.float() / scale.reshape(-1, 1)).clamp(-LARGEST_E4M3, LARGEST_E4M3).to(torch.float8_e4m3fn)


def tensor_scale(weight: torch.Tensor) -> torch.Tensor:
    return weight.float().abs().max() / LARGEST_E4M3


def row_scale(weight: torch.Tensor) -> torch.Tensor:
    return weight.float().abs().amax(1, keepdim=True) / LARGEST_E4M3


def meaning(codes: torch.Tensor, scale: torch.Tensor | None = None) -> torch.Tensor:
    wide = codes.double()
    return (wide if scale is None else wide * scale.double().reshape(-1, 1)).float()


def convrot_matrix(order: int) -> torch.Tensor:
    four = (torch.ones(4, 4, dtype=torch.float64) - 2 * torch.eye(4, dtype=torch.float64).flip(0)) / 2
    matrix = four
    while matrix.shape[0] < order:
        matrix = torch.kron(matrix, four)
    return matrix


def mark(text: dict) -> torch.Tensor:
    return torch.tensor(list(json.dumps(text).encode()), dtype=torch.uint8)


def _each(weights: Tensors, out: Quantised, prefix: str, quantise: Callable[[str, torch.Tensor], bool]) -> None:
    """Calls quantise() with every layer's name and matrix; what it declines stays as it is."""
    for name, tensor in weights.items():
        if is_linear(name, tensor) and quantise(name.removesuffix(".weight"), tensor):
            continue
        out.tensors[prefix + name] = tensor
        out.meaning[name] = tensor.float()


def comfy_mixed(weights: Tensors) -> Quantised:
    """Some layers stay, half of the others are marked in each of the two ways, and some are to be multiplied in full."""
    out = Quantised()
    prefix = "model.diffusion_model."
    layers: dict[str, dict] = {}
    kept = ("img_in", "txt_in", "proj_out", "norm_out", "time_text_embed", "img_mlp.net.2")
    count = 0

    def quantise(name: str, weight: torch.Tensor) -> bool:
        nonlocal count
        if any(part in name for part in kept):
            return False
        scale = tensor_scale(weight)
        codes = to_e4m3(weight, scale)
        text: dict = {"format": "float8_e4m3fn"}
        if count % 3 == 0:
            text["full_precision_matrix_mult"] = True
        out.tensors[f"{prefix}{name}.weight"] = codes
        out.tensors[f"{prefix}{name}.weight_scale"] = scale
        if count % 2 == 0:
            out.tensors[f"{prefix}{name}.comfy_quant"] = mark(text)
            out.tensors[f"{prefix}{name}.input_scale"] = torch.tensor(0.5)
        else:
            layers[prefix + name] = text
        out.meaning[f"{name}.weight"] = meaning(codes, scale)
        count += 1
        return True

    _each(weights, out, prefix, quantise)
    out.metadata["_quantization_metadata"] = json.dumps({"format_version": "1.0", "layers": layers})
    return out


def comfy_scaled(weights: Tensors, component: str = "transformer", prefix: str = "model.diffusion_model.") -> Quantised:
    out = Quantised(component)

    def quantise(name: str, weight: torch.Tensor) -> bool:
        scale = tensor_scale(weight)
        codes = to_e4m3(weight, scale)
        out.tensors[f"{prefix}{name}.weight"] = codes
        out.tensors[f"{prefix}{name}.scale_weight"] = scale
        out.tensors[f"{prefix}{name}.scale_input"] = torch.tensor(1.0)
        out.meaning[f"{name}.weight"] = meaning(codes, scale)
        return True

    _each(weights, out, prefix, quantise)
    out.tensors[f"{prefix}scaled_fp8"] = torch.zeros(2 if component == "text_encoder" else 0)
    return out


def comfy_scaled_text(weights: Tensors) -> Quantised:
    """As qwen_2.5_vl_7b_fp8_scaled: names as they are, and two elements in the tensor that marks the file."""
    return comfy_scaled(weights, "text_encoder", "")


def plain(weights: Tensors) -> Quantised:
    """All but the norms, biases too."""
    out = Quantised()
    for name, tensor in weights.items():
        kept = "norm" in name and not name.startswith("norm_out.linear")
        stored = tensor if kept else tensor.float().clamp(-LARGEST_E4M3, LARGEST_E4M3).to(torch.float8_e4m3fn)
        out.tensors[f"diffusion_model.{name}"] = stored
        out.meaning[name] = stored.float()
    return out


def scale_for_all(weights: Tensors) -> Quantised:
    """As ModelOpt and SGLang."""
    out = Quantised()

    def quantise(name: str, weight: torch.Tensor) -> bool:
        if "_mod." in name or not name.startswith("transformer_blocks."):
            return False
        scale = tensor_scale(weight)
        codes = to_e4m3(weight, scale)
        out.tensors[f"{name}.weight"] = codes
        out.tensors[f"{name}.weight_scale"] = scale
        out.tensors[f"{name}.input_scale"] = torch.tensor(0.125)
        out.meaning[f"{name}.weight"] = meaning(codes, scale)
        return True

    _each(weights, out, "", quantise)
    return out


def scale_for_rows(weights: Tensors) -> Quantised:
    """As LightX2V."""
    out = Quantised()

    def quantise(name: str, weight: torch.Tensor) -> bool:
        scale = row_scale(weight)
        codes = to_e4m3(weight, scale)
        out.tensors[f"transformer.{name}.weight"] = codes
        out.tensors[f"transformer.{name}.weight_scale"] = scale
        out.meaning[f"{name}.weight"] = meaning(codes, scale)
        return True

    _each(weights, out, "transformer.", quantise)
    return out


def convrot(weights: Tensors) -> Quantised:
    """ComfyUI's int8: the rows of W·R; every third layer is not turned."""
    out = Quantised()
    prefix = "diffusion_model."
    order = 16
    matrix = convrot_matrix(order)
    count = 0

    def quantise(name: str, weight: torch.Tensor) -> bool:
        nonlocal count
        turned = count % 3 != 0
        count += 1
        wide = weight.double()
        if turned:
            wide = (wide.reshape(weight.shape[0], -1, order) @ matrix).reshape(weight.shape)
        scale = (wide.abs().amax(1, keepdim=True) / 127).float()
        codes = (wide / scale.double()).round().clamp(-128, 127).to(torch.int8)
        text: dict = {"format": "int8_tensorwise"}
        stands_for = codes.double() * scale.double()
        if turned:
            text |= {"convrot": True, "convrot_groupsize": order}
            stands_for = (stands_for.reshape(weight.shape[0], -1, order) @ matrix.T).reshape(weight.shape)
        out.tensors[f"{prefix}{name}.weight"] = codes
        out.tensors[f"{prefix}{name}.weight_scale"] = scale if turned else scale.flatten()
        out.tensors[f"{prefix}{name}.comfy_quant"] = mark(text)
        out.meaning[f"{name}.weight"] = stands_for.float()
        return True

    _each(weights, out, prefix, quantise)
    return out


FORMATS: dict[str, Callable[[Tensors], Quantised]] = {
    "comfy_mixed": comfy_mixed,
    "comfy_scaled": comfy_scaled,
    "comfy_scaled_text": comfy_scaled_text,
    "convrot": convrot,
    "plain": plain,
    "scale_for_all": scale_for_all,
    "scale_for_rows": scale_for_rows,
}
