"""The first phase: the VAE, on layers and composites of synthetic scenes."""

from __future__ import annotations

import random
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from . import frozen, state
from .optimizer import FlatOptimizer, learning_rate
from .scenes import Scenes, SceneSource
from .session import Clock, Session, Stop, say
from .settings import VaeTraining
from .vae import decode, encode, make_vae

SAVE_SECONDS = 120


def losses(vae, pictures: Tensor, noise: Tensor, strength: Tensor, settings: VaeTraining) -> tuple[Tensor, Tensor, Tensor]:
    """(loss, squared error of colours times alpha and of alpha, KL) for straight pictures [n, 4, h, w], 0 … 1, noise
    [n, 16, h/8, w/8] and how strong it is beside the latents' spread [n, 1, 1, 1]."""
    mean, log_variance = encode(vae, pictures * 2 - 1)
    # Relative to the spread, so that larger latents are no way round the noise.
    added = (strength * mean.std((0, 2, 3), keepdim=True)).square()
    made = decode(vae, mean + noise * torch.sqrt(log_variance.exp() + added)) / 2 + 0.5
    # Where a layer is transparent its colour does not matter; compare what would be seen.
    true = _multiplied(pictures)
    error = _multiplied(made) - true
    weight = detail(true, settings.detail_weight)
    loss = (weight * (error.abs() + 2 * error.square())).mean()
    across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    loss = loss + 0.5 * ((weight[..., 1:] * across.abs()).mean() + (weight[..., 1:, :] * down.abs()).mean())
    for side in (2, 4):
        loss = loss + 0.3 * F.avg_pool2d(error, side).abs().mean()
    # Of one colour all over, also at the rim, where little of it would be seen.
    loss = loss + 0.4 * (weight * (made[:, :3] - pictures[:, :3]).abs() * pictures[:, 3:]).mean()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    return loss + settings.kl_weight * kl, error.detach().square().mean(), kl.detach()


def detail(pictures: Tensor, most: float) -> Tensor:
    """Weights of pixels [n, 1, h, w], 1 on average: up to 1 + `most` times as much within three pixels of an edge as elsewhere. Letters
    and rims are a few per cent of a picture, and most of what is seen to be wrong."""
    across = F.pad((pictures[..., 1:] - pictures[..., :-1]).abs().amax(1, keepdim=True), (0, 1))
    down = F.pad((pictures[..., 1:, :] - pictures[..., :-1, :]).abs().amax(1, keepdim=True), (0, 0, 0, 1))
    near = F.max_pool2d(torch.maximum(across, down), 7, 1, 3)
    weight = 1 + most * (2 * near).clamp(max=1)
    return weight / weight.mean()


def _multiplied(pictures: Tensor) -> Tensor:
    return torch.cat([pictures[:, :3] * pictures[:, 3:], pictures[:, 3:]], 1)


def choose_frames(scenes: Scenes, count: int) -> Tensor:
    """`count` pictures: all composites, all backgrounds, and some of the other layers."""
    layers = scenes.layers[:, 1:].flatten(0, 1)
    chosen = torch.randperm(len(layers), device=layers.device)[: count - 2 * len(scenes.composite)]
    return torch.cat([scenes.composite, scenes.layers[:, 0], layers[chosen]])


class Batches:
    """Pictures for the steps. Drawing them takes a fifth of a step's time, so each is used a few times, with new noise."""

    def __init__(self, settings: VaeTraining, source: SceneSource, seed: int):
        self._settings, self._source = settings, source
        self._random = random.Random(seed)
        self._kept: list[Tensor] = []
        self._turn = 0

    def draw(self) -> Tensor:
        """[frames, 4, h, w], straight, 0 … 1."""
        kept, settings = self._kept, self._settings
        if len(kept) < settings.batches:
            kept.append(self._make())
            return kept[-1]
        self._turn += 1
        if self._turn % settings.batch_uses == 0:
            kept[self._turn // settings.batch_uses % settings.batches] = self._make()
        return self._random.choice(kept)

    def _make(self) -> Tensor:
        settings = self._settings
        return choose_frames(self._source.draw(settings.scenes, settings.layers, settings.height, settings.width), settings.frames)


def train(session: Session) -> None:
    settings, device = session.plan.vae, session.device
    torch.manual_seed(session.plan.seed)
    progress = state.load_progress(session.state)
    if progress is not None and progress.phase != "vae":
        raise SystemExit("error: the VAE in this state is trained, and the transformer begun; take another --state to train anew")
    vae = make_vae(session.plan.sizes).to(device)
    optimizer = FlatOptimizer(vae, settings.ema, settings.clip)
    source = SceneSource(session.plan.seed, device)
    if progress is None:
        progress = state.Progress(session.plan_name, "vae")
    else:
        tensors = state.load(session.state, progress)
        optimizer.restore(tensors)
        source.state = tensors["scenes"]
        torch.manual_seed(session.plan.seed + progress.step)
        say(f"going on at step {progress.step}, after {progress.seconds:.0f} s of training")
    _loop(session, settings, vae, optimizer, source, progress)


def _loop(session: Session, settings: VaeTraining, vae, optimizer: FlatOptimizer, source: SceneSource, progress: state.Progress) -> None:
    device, stop = session.device, Stop()
    clock = Clock(session, progress.seconds, settings.planned_minutes)
    compute = session.compiled(losses)
    batches = Batches(settings, source, session.plan.seed + progress.step)
    saved = time.monotonic()
    squared = kl = loss = torch.zeros((), device=device)
    rate = 0.0

    def save() -> None:
        progress.seconds = clock.seconds
        state.save(session.state, progress, optimizer.state() | {"scenes": source.state})

    while not (clock.over or stop.wanted):
        pictures = batches.draw()
        noise = torch.randn(len(pictures), 16, settings.height // 8, settings.width // 8, device=device)
        strength = settings.latent_noise * torch.rand(len(pictures), 1, 1, 1, device=device)
        rate = learning_rate(settings.learning_rate, progress.step, settings.warmup_steps, clock.progress, settings.final_share)
        optimizer.zero_grad()
        with session.autocast:
            loss, squared, kl = compute(vae, pictures, noise, strength, settings)
        loss.backward()
        optimizer.step(progress.step, rate)
        progress.step += 1
        clock.stepped(len(pictures))
        speed = clock.due()
        if speed is not None:
            say(f"vae step {progress.step}  {100 * clock.progress:.0f} %  loss {loss.item():.4f}  PSNR {-10 * squared.log10().item():.2f} dB  "
                f"KL {kl.item():.2f}  |g| {optimizer.gradient_norm.item():.2f}  lr {rate:.1e}  {speed:.0f} images/s")
        if time.monotonic() - saved > SAVE_SECONDS:
            save()
            saved = time.monotonic()
    if progress.step:
        save()
        frozen.freeze(session.state, session.plan, optimizer.averaged_state(), device)
        say(f"vae stopped at step {progress.step}, {clock.seconds:.0f} s of training")
        _report(session, source)


@torch.no_grad()
def _report(session: Session, source: SceneSource) -> None:
    """PSNR of the averaged weights on new scenes, as they will be used."""
    settings = session.plan.vae
    vae = frozen.load(session.state, session.plan, session.device).vae
    source = SceneSource(session.plan.seed + 2, session.device)
    scenes = source.draw(settings.scenes, settings.layers, settings.height, settings.width)
    for name, pictures in (("composites", scenes.composite), ("layers", scenes.layers.flatten(0, 1))):
        mean, _ = encode(vae, pictures * 2 - 1)
        made = (decode(vae, mean) / 2 + 0.5).clamp(0, 1)
        error = (_multiplied(made) - _multiplied(pictures)).square().mean()
        say(f"vae on new scenes, {name}: PSNR {-10 * error.log10().item():.2f} dB")
