"""The second phase: the transformer, by flow matching on latents of scenes."""

from __future__ import annotations

import random
import time

import torch
from torch import Tensor

from . import chunks, frozen, state, transformer
from .flow import draw_sigmas
from .optimizer import FlatOptimizer, learning_rate
from .preview import preview
from .scenes import SceneSource
from .session import Clock, Session, Stop, say
from .settings import TransformerTraining
from .vae import Latents, encode

SAVE_SECONDS = 150
PREVIEW_SECONDS = 400


class Trainer:
    def __init__(self, session: Session):
        self.session, self.settings = session, session.plan.transformer
        device, seed = session.device, session.plan.seed
        torch.manual_seed(seed)
        progress = state.load_progress(session.state)
        if progress is None or not (session.state / "frozen.safetensors").exists():
            raise SystemExit("error: there is no trained VAE in this state; run --phase vae first")
        parts = frozen.load(session.state, session.plan, device)
        self.prompts = parts.prompts(device)
        fast_encode = session.compiled(encode, dynamic=True)

        def encode_in_half(vae, pictures: Tensor):
            with session.autocast:
                return fast_encode(vae, pictures)

        self.latents = Latents(parts.vae, encode_in_half)
        self.model = transformer.make_transformer(session.plan.sizes).to(device)
        self.optimizer = FlatOptimizer(self.model, self.settings.ema, self.settings.clip)
        self.scenes = SceneSource(seed + 100, device)
        if progress.phase == "transformer":
            tensors = state.load(session.state, progress)
            self.optimizer.restore(tensors)
            self.scenes.state = tensors["scenes"]
            say(f"going on at step {progress.step}, after {progress.seconds:.0f} s of training")
        else:
            progress = state.Progress(session.plan_name, "transformer", vae_seconds=progress.seconds)
        self.progress = progress
        torch.manual_seed(seed + 1000 + progress.step)
        self.random = random.Random(seed + progress.step)
        self.chunks = chunks.ChunkSource(self.settings, self.scenes, self.latents, self.prompts, seed + progress.step)
        self.run_block = session.compiled(transformer.block_forward, dynamic=True)
        self.positions: dict[tuple[int, ...], transformer.Rotary] = {}

    def backward(self, layers: int, size: tuple[int, int], share: float) -> Tensor:
        """Adds the gradients of `share` times the loss on one chunk; returns what `_losses` does."""
        chunk = self.chunks.draw(layers, size)
        text = chunk.text
        if self.random.random() < self.settings.no_prompt_share:
            text = self.prompts.no_prompt.expand(len(text), -1, -1)
        key = (layers, chunk.rows, chunk.columns, text.shape[1])
        if key not in self.positions:
            self.positions[key] = transformer.rotary(self.model, *key, self.session.device)
        true = chunk.tokens.float()
        noise = torch.randn_like(true)
        condition = chunk.rows * chunk.columns
        sigma = draw_sigmas(len(true), condition, self.session.device)
        noisy = torch.lerp(true, noise, sigma[:, None, None])
        with self.session.autocast:
            velocity = transformer.forward(self.model, torch.cat([noisy, chunk.condition.float()], 1), sigma, text,
                                           self.positions[key], self.run_block)
        error = (velocity[:, : true.shape[1]].float() - (noise - true)).square()
        whole, parts = error[:, :condition].mean(), error[:, condition:].mean((1, 2))
        weight = self.settings.composite_weight
        loss = (weight * whole + layers * parts.mean()) / (weight + layers)
        (loss * share).backward()
        # At the highest noise level the error is that of the layers' first guess.
        return torch.stack([loss.detach(), parts.detach()[sigma.argmax()]])


def train(session: Session) -> None:
    trainer = Trainer(session)
    settings, progress, optimizer = trainer.settings, trainer.progress, trainer.optimizer
    stop, clock = Stop(), Clock(session, trainer.progress.seconds, settings.planned_minutes)
    total = sum(settings.scenes.values())
    seen = torch.zeros(len(settings.scenes), 2, device=session.device)
    since, early = 0, clock.progress < settings.early_share
    trainer.chunks.start_anew(settings.early_factor if early else 1)
    saved = previewed = time.monotonic()

    def save() -> None:
        progress.seconds = clock.seconds
        state.save(session.state, progress, optimizer.state() | {"scenes": trainer.scenes.state})

    while not (clock.over or stop.wanted):
        if early and clock.progress >= settings.early_share:
            early = False
            trainer.chunks.start_anew(1)
        rate = learning_rate(settings.learning_rate, progress.step, settings.warmup_steps, clock.progress, settings.final_share)
        optimizer.zero_grad()
        for place, (layers, scenes) in enumerate(settings.scenes.items()):
            size = settings.early_size if early else trainer.random.choices(settings.sizes, settings.size_weights)[0]
            seen[place] += trainer.backward(layers, size, scenes / total)
        optimizer.step(progress.step, rate)
        progress.step += 1
        since += 1
        clock.stepped(total * trainer.chunks.factor)
        speed = clock.due()
        if speed is not None:
            _say_progress(settings, progress.step, clock.progress, seen / since, optimizer.gradient_norm.item(), rate, speed)
            seen.zero_()
            since = 0
        if time.monotonic() - saved > SAVE_SECONDS:
            save()
            saved = time.monotonic()
        if time.monotonic() - previewed > PREVIEW_SECONDS and not early:
            previewed = time.monotonic()
            _preview(session, trainer, None)
            clock.pause(time.monotonic() - previewed)
    if progress.step:
        save()
        say(f"transformer stopped at step {progress.step}, {clock.seconds:.0f} s of training")
        file = session.preview / f"preview-{progress.step}.png" if session.preview else None
        _preview(session, trainer, file)


def _preview(session: Session, trainer: Trainer, file) -> None:
    """With averaged weights, as they would be exported."""
    model = transformer.make_transformer(session.plan.sizes).to(session.device).eval()
    model.load_state_dict(trainer.optimizer.averaged_state())
    preview(session, model, trainer.latents, trainer.prompts, file)


def _say_progress(settings: TransformerTraining, step: int, share: float, seen: Tensor, norm: float, rate: float, speed: float) -> None:
    losses, first = seen.T.tolist()
    each = "  ".join(f"{layers}: {loss:.3f}/{guess:.2f}" for layers, loss, guess in zip(settings.scenes, losses, first))
    say(f"transformer step {step}  {100 * share:.0f} %  loss/first guess by layers {each}  |g| {norm:.2f}  lr {rate:.1e}  {speed:.0f} scenes/s")
