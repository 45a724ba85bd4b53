"""The parts that the transformer is trained on top of: the trained VAE and the text encoder."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKLQwenImage
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration

from . import state
from .scenes import SceneSource
from .settings import Plan
from .text_encoder import PromptEncoder, make_text_encoder
from .tokenizer import write_tokenizer
from .vae import encode, make_vae


@dataclass(frozen=True)
class Frozen:
    vae: AutoencoderKLQwenImage
    text_encoder: Qwen2_5_VLForConditionalGeneration

    def prompts(self, device: torch.device) -> PromptEncoder:
        with tempfile.TemporaryDirectory() as folder:
            write_tokenizer(Path(folder))
            return PromptEncoder(self.text_encoder, Path(folder), device)


def freeze(folder: Path, plan: Plan, weights: dict[str, Tensor], device: torch.device) -> None:
    """Writes frozen.safetensors: the VAE of these weights, rounded to bf16, with its latents' statistics, and the text encoder."""
    vae = make_vae(plan.sizes)
    vae.load_state_dict({name: tensor.to("cpu").bfloat16().float() for name, tensor in weights.items()})
    statistics = _statistics(vae.to(device).eval(), plan, device)
    with tempfile.TemporaryDirectory() as tokenizer:
        write_tokenizer(Path(tokenizer))
        text_encoder = make_text_encoder(Path(tokenizer), plan.sizes)
    state.save_frozen(folder, vae.state_dict(), statistics, text_encoder.state_dict())


def load(folder: Path, plan: Plan, device: torch.device) -> Frozen:
    weights, statistics, text_weights = state.load_frozen(folder)
    mean, std = ([round(value, 5) for value in row.tolist()] for row in statistics)
    vae = make_vae(plan.sizes, latents_mean=mean, latents_std=std)
    vae.load_state_dict(state.widen(weights, vae.state_dict()))
    with tempfile.TemporaryDirectory() as tokenizer:
        write_tokenizer(Path(tokenizer))
        text_encoder = make_text_encoder(Path(tokenizer), plan.sizes)
    text_encoder.load_state_dict(text_weights)
    return Frozen(vae.to(device).eval().requires_grad_(False), text_encoder.to(device))


@torch.no_grad()
def _statistics(vae: AutoencoderKLQwenImage, plan: Plan, device: torch.device) -> Tensor:
    """Mean and standard deviation of each latent channel over pictures and layers: [2, 16] fp32."""
    settings = plan.vae
    source = SceneSource(plan.seed + 1, device)
    sums, count = torch.zeros(2, vae.config.z_dim, dtype=torch.float64, device=device), 0
    for _ in range(max(1, settings.statistics_scenes // settings.scenes)):
        scenes = source.draw(settings.scenes, settings.layers, settings.height, settings.width)
        pictures = torch.cat([scenes.composite[:, None], scenes.layers], 1).flatten(0, 1)
        latents = encode(vae, pictures * 2 - 1)[0].double()
        sums += torch.stack([latents.sum((0, 2, 3)), latents.square().sum((0, 2, 3))])
        count += latents[:, 0].numel()
    mean = sums[0] / count
    return torch.stack([mean, (sums[1] / count - mean.square()).sqrt()]).float()
