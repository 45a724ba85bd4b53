"""Samples from the transformer while it is being trained, on scenes that it is not trained on, and measures the layers."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from . import contact_sheet, metrics, transformer
from .flow import pack, sample, unpack
from .render import over
from .scenes import SceneSource
from .session import Session, say
from .settings import PREVIEW_SEED
from .text_encoder import PromptEncoder
from .vae import Latents

GUIDANCE = (1.0, 2.0)


def preview(session: Session, model, latents: Latents, prompts: PromptEncoder, file: Path | None, scenes_each: int = 8,
            steps: int = 15) -> None:
    """Prints the scores with and without guidance; writes a contact sheet of a few scenes to `file`."""
    counts = sorted(session.plan.transformer.scenes)
    size = session.plan.transformer.sizes[0]
    rows = []
    for guidance in GUIDANCE:
        scores: dict[int, list[metrics.Scores]] = {}
        for layers in counts:
            scenes = SceneSource(PREVIEW_SEED + layers, session.device).draw(scenes_each, layers, *size)
            generator = torch.Generator(session.device).manual_seed(777)
            condition = pack(latents.of(scenes.composite)[:, None])
            text = prompts.embed(scenes.prompts, 32)
            made = _decompose(session, model, latents, condition, text, prompts.no_prompt, layers, size, steps, guidance, generator)
            scores[layers] = [metrics.score(m, t, c) for m, t, c in zip(made.cpu(), scenes.layers.cpu(), scenes.composite.cpu())]
            if guidance == 1.0:
                rows += [_row(scenes.composite[i], made[i]) for i in range(min(3 if layers > 2 else 1, scenes_each))]
        every = [s for part in scores.values() for s in part]
        fields = [f"{layers}: {metrics.mean([s.iou for s in part]):.3f}" for layers, part in scores.items()]
        say(f"preview, {steps} steps, guidance {guidance:g}: PSNR {metrics.mean([s.psnr for s in every]):.2f} dB  "
            f"IoU {metrics.mean([s.iou for s in every]):.3f} ({', '.join(fields)})  foreground "
            f"{metrics.mean([s.foreground_iou for s in every if s.foreground_iou is not None]):.3f}  "
            f"colour error {metrics.mean([s.color_error for s in every]):.4f}")
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet.stack(rows).save(file, optimize=True)


@torch.no_grad()
def _decompose(session: Session, model, latents: Latents, condition: Tensor, text: Tensor, no_prompt: Tensor, layers: int,
               size: tuple[int, int], steps: int, guidance: float, generator: torch.Generator) -> Tensor:
    """[scenes, layers, 4, h, w]."""
    rows, columns = size[0] // 16, size[1] // 16
    positions = functools.cache(lambda length: transformer.rotary(model, layers, rows, columns, length, session.device))

    def predict(tokens: Tensor, timestep: Tensor, embeddings: Tensor) -> Tensor:
        with session.autocast:
            return transformer.forward(model, tokens, timestep, embeddings, positions(embeddings.shape[1]))

    no_text = no_prompt.expand(len(condition), -1, -1)
    tokens = sample(predict, condition, text, no_text, layers, steps, guidance, generator)
    frames = unpack(tokens, layers + 1, rows, columns)[:, 1:]
    return latents.pictures(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])


def _row(composite: Tensor, layers: Tensor) -> Image.Image:
    return contact_sheet.row(_image(composite), [_image(layer) for layer in layers], _image(over(layers[None])[0]))


def _image(picture: Tensor) -> Image.Image:
    return Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).cpu().numpy(), "RGBA")
