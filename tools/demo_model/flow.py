"""Flow matching as QwenImageLayeredPipeline runs it: layout of tokens, schedule, sampling."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from parity.models import SCHEDULER

# (tokens, timestep, text) -> velocity of all tokens
Predict = Callable[[Tensor, Tensor, Tensor], Tensor]


def pack(latents: Tensor) -> Tensor:
    """[n, frames, 16, h, w] -> tokens [n, frames * h/2 * w/2, 64], channel-major in each 2 x 2."""
    n, frames, channels, height, width = latents.shape
    patches = latents.reshape(n, frames, channels, height // 2, 2, width // 2, 2).permute(0, 1, 3, 5, 2, 4, 6)
    return patches.reshape(n, frames * (height // 2) * (width // 2), 4 * channels)


def unpack(tokens: Tensor, frames: int, rows: int, columns: int) -> Tensor:
    n, _, channels = tokens.shape
    patches = tokens.view(n, frames, rows, columns, channels // 4, 2, 2).permute(0, 1, 4, 2, 5, 3, 6)
    return patches.reshape(n, frames, channels // 4, 2 * rows, 2 * columns)


def shifted(share: Tensor, condition_tokens: int) -> Tensor:
    """The scheduler's time shift of 0 … 1 (its exponential one, mu the square root of tokens / 256)."""
    factor = math.exp(math.sqrt(condition_tokens / 256))
    return factor * share / (factor * share + 1 - share)


def sigmas(steps: int, condition_tokens: int) -> Tensor:
    """[steps + 1]: the pipeline's noise levels, with the stretch to `shift_terminal`, and a last 0."""
    line = shifted(torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1], condition_tokens)
    line = 1 - (1 - line) * (1 - SCHEDULER["shift_terminal"]) / (1 - line[-1]) if steps > 1 else line
    return torch.cat([line, torch.zeros(1)]).float()


def draw_sigmas(count: int, condition_tokens: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Noise levels for training, as often as sampling with many steps meets them; one in each of `count` equal shares, in any order."""
    place = torch.randperm(count, device=device, generator=generator)
    share = (place + torch.rand(count, device=device, generator=generator)) / count
    return shifted(share, condition_tokens).clamp(min=0.01)


@torch.no_grad()
def sample(predict: Predict, condition: Tensor, text: Tensor, no_text: Tensor, layers: int, steps: int, guidance: float,
           generator: torch.Generator | None = None) -> Tensor:
    """Condition tokens [n, tokens, 64] -> tokens of the frames [n, (layers + 1) * tokens, 64]. Guidance 1 is none."""
    n, tokens, channels = condition.shape
    latents = torch.randn(n, (layers + 1) * tokens, channels, device=condition.device, generator=generator)
    levels = sigmas(steps, tokens).tolist()
    for level, following in zip(levels, levels[1:]):
        timestep = torch.full((n,), level, device=condition.device)
        model_input = torch.cat([latents, condition], 1)
        velocity = predict(model_input, timestep, text)[:, : latents.shape[1]].float()
        if guidance > 1:
            without = predict(model_input, timestep, no_text)[:, : latents.shape[1]].float()
            velocity = without + guidance * (velocity - without)
        latents = latents + (following - level) * velocity
    return latents
