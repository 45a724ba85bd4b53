"""Sizes of the demo model and settings of its training."""

from __future__ import annotations

from dataclasses import dataclass, field

SEED = 20261121  # of the training scenes; evaluation uses other seeds
EVALUATION_SEED = 777_000_000
PREVIEW_SEED = 555_000_000

LATENT_CHANNELS = 16
PATCH = 16  # pixels along one side of a token: the VAE's 8 times the patch of 2


@dataclass(frozen=True)
class Sizes:
    """The model's architecture."""

    vae_base_dim: int = 32  # on a GPU a step is as fast as with 24
    vae_dim_mult: tuple[int, ...] = (1, 2, 2, 2)
    vae_res_blocks: int = 1
    blocks: int = 6
    heads: int = 4
    head_dim: int = 48
    axes: tuple[int, int, int] = (16, 16, 16)  # rotary dimensions of frame, row and column
    text_hidden: int = 64
    text_layers: int = 2


@dataclass(frozen=True)
class VaeTraining:
    planned_minutes: float = 8.4
    scenes: int = 16  # a step
    frames: int = 64  # of these scenes' layers and composites
    layers: int = 4
    height: int = 256
    width: int = 256
    batches: int = 24  # kept; a step takes any of them, and every `batch_uses` steps one is drawn anew
    batch_uses: int = 3
    learning_rate: float = 4e-4  # with 7e-4 training may stand still at a PSNR of 13 dB
    warmup_steps: int = 500
    final_share: float = 0.02  # of the learning rate
    ema: float = 0.998
    kl_weight: float = 1e-4
    # Noise on the latents, up to this share of their spread, so that the decoder forgives what the transformer gets slightly wrong.
    latent_noise: float = 0.08
    detail_weight: float = 4.0  # of pixels near edges, beside 1 elsewhere
    clip: float = 1.0
    statistics_scenes: int = 256


@dataclass(frozen=True)
class TransformerTraining:
    planned_minutes: float = 16.3
    # Scenes of a step, by the number of layers; each number is one pass of its own.
    scenes: dict[int, int] = field(default_factory=lambda: {4: 48, 3: 40, 2: 24, 1: 8})
    # (height, width) and how often.
    sizes: tuple[tuple[int, int], ...] = ((256, 256), (224, 320), (320, 224))
    size_weights: tuple[float, ...] = (0.8, 0.1, 0.1)
    # The first part of the time goes to small pictures: steps are several times as fast, and most of what layers are can be learned.
    early_size: tuple[int, int] = (128, 128)
    early_share: float = 0.12
    early_factor: int = 2  # times as many scenes then, since a step's overhead would be longer than its work
    text_tokens: tuple[int, ...] = (10, 20, 32, 48)  # of a prompt with the template's last five
    no_prompt_share: float = 0.13
    learning_rate: float = 1.2e-3
    warmup_steps: int = 300
    final_share: float = 0.02  # of the learning rate
    ema: float = 0.9995
    clip: float = 2.0
    composite_weight: float = 0.3  # of frame 0, which only has to be copied
    chunk_uses: int = 8  # how often rendered and encoded scenes are used, each time with new noise
    chunks: int = 24  # kept for each number of layers and size


@dataclass(frozen=True)
class Plan:
    sizes: Sizes = field(default_factory=Sizes)
    vae: VaeTraining = field(default_factory=VaeTraining)
    transformer: TransformerTraining = field(default_factory=TransformerTraining)
    seed: int = SEED


def toy_plan() -> Plan:
    """Everything small enough for a check on a CPU."""
    return Plan(
        sizes=Sizes(vae_base_dim=8, vae_dim_mult=(1, 1, 2, 2), blocks=2, heads=2, head_dim=24, axes=(8, 8, 8), text_hidden=32),
        vae=VaeTraining(scenes=2, frames=6, layers=3, height=64, width=64, statistics_scenes=4, warmup_steps=5, batches=3,
                        planned_minutes=0.3),
        transformer=TransformerTraining(
            scenes={2: 2, 1: 1}, sizes=((64, 64), (64, 96)), size_weights=(0.5, 0.5), early_size=(64, 64), early_factor=1,
            chunks=2, warmup_steps=5, planned_minutes=0.3),
    )


PLANS = {"full": Plan, "toy": toy_plan}
