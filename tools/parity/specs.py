"""The cases: which small model, which picture and which call each of them is made of."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass, field
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "demo"

ENGLISH = "A red fox asleep under a birch tree, beside it a sign that says \"closed\""
CHINESE = "一只红色的狐狸睡在白桦树下，旁边立着一块木牌"
EMOJI = "two cats 🐈\u200d⬛🐈 and a café ☕️, don't move!"
# One word is at least one token in any vocabulary, so this is past the cut at 512 whatever the tokenizer.
LONG = " ".join(f"layer {i} holds a {c} shape;" for i, c in zip(range(80), ["green", "blue", "white"] * 27))


@dataclass(frozen=True)
class Transformer:
    blocks: int = 2
    heads: int = 2
    head_dim: int = 16
    axes: tuple[int, int, int] = (4, 6, 6)  # rotary dimensions of frame, row, column; they add up to head_dim


@dataclass(frozen=True)
class Vae:
    base_dim: int = 8
    dim_mult: tuple[int, int, int, int] = (1, 1, 2, 2)
    num_res_blocks: int = 1


@dataclass(frozen=True)
class Text:
    hidden: int = 32
    intermediate: int = 48
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    vocab_size: int = 288  # ranks kept; the added tokens come on top
    # Both are in the wild. "flat" is the published checkpoint: `model.layers.*`, `visual.*`, text settings at the top
    # of config.json; "nested" is what current transformers writes: `model.language_model.*`, `model.visual.*`.
    naming: str = "nested"

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads


@dataclass(frozen=True)
class Call:
    prompt: str = ENGLISH
    negative_prompt: str | None = " "
    layers: int = 2
    resolution: int = 64
    steps: int = 3
    true_cfg_scale: float = 4.0
    cfg_normalize: bool = False
    seed: int = 777
    picture: tuple[int, int] = (64, 64)
    mode: str = "RGBA"

    @property
    def guided(self) -> bool:
        return self.true_cfg_scale > 1 and self.negative_prompt is not None


@dataclass(frozen=True)
class Case:
    name: str
    transformer: Transformer = field(default_factory=Transformer)
    vae: Vae = field(default_factory=Vae)
    text: Text = field(default_factory=Text)
    call: Call = field(default_factory=Call)
    weights: str = "fp32"  # dtype of the tensors in the files
    shards: int = 1
    bf16: bool = True  # whether diffusers' own bf16 run is kept beside the fp32 one
    decoded: bool = True  # whether decoded pictures are kept as floats too; left out where they are large


COMMITTED = [
    Case("plain", vae=Vae(base_dim=4, dim_mult=(1, 2, 2, 2)), weights="bf16"),
    Case(
        "no_guidance",
        transformer=Transformer(blocks=1, heads=1, head_dim=32, axes=(8, 12, 12)),
        vae=Vae(base_dim=4, dim_mult=(1, 1, 1, 2)),
        text=Text(hidden=24, intermediate=40, layers=1, heads=3, kv_heads=1, naming="flat"),
        call=Call(prompt=CHINESE, negative_prompt=None, layers=1, steps=4, picture=(60, 70), mode="RGB", seed=1),
    ),
    Case(
        "cfg_normalize",
        transformer=Transformer(blocks=2, heads=2, head_dim=24, axes=(8, 8, 8)),
        vae=Vae(base_dim=8, dim_mult=(1, 1, 1, 1)),
        text=Text(hidden=36, heads=6, kv_heads=2, naming="flat"),
        call=Call(prompt=EMOJI, negative_prompt="blurry, 模糊", layers=1, cfg_normalize=True, steps=5,
                  seed=2**33 + 5),
        weights="bf16",
        shards=2,
    ),
    Case(
        "odd_size",
        transformer=Transformer(blocks=1, heads=3, head_dim=16, axes=(4, 4, 8)),
        vae=Vae(base_dim=4, dim_mult=(1, 1, 2, 2)),
        text=Text(heads=2, kv_heads=1),
        call=Call(layers=1, steps=2, picture=(97, 61), true_cfg_scale=2.5, mode="RGB", seed=3),
        weights="bf16",
        bf16=False,
    ),
    # The frame count, not the picture, decides here where the text's rotary positions start.
    Case(
        "ten_layers",
        transformer=Transformer(blocks=1, heads=2, head_dim=16, axes=(8, 4, 4)),
        vae=Vae(base_dim=4, dim_mult=(1, 1, 2, 2), num_res_blocks=2),
        call=Call(prompt="sky", negative_prompt="", layers=10, steps=2, picture=(30, 75), seed=4),
        weights="bf16",
        shards=3,
        bf16=False,
        decoded=False,
    ),
    # The wide one: a slip that a handful of channels hides shows here.
    Case(
        "long_prompt",
        transformer=Transformer(blocks=1, heads=4),
        vae=Vae(base_dim=6, dim_mult=(1, 1, 1, 2)),
        text=Text(heads=2, kv_heads=1, naming="flat"),
        call=Call(prompt=LONG, layers=1, steps=3, picture=(200, 40), seed=5),
        weights="bf16",
        shards=2,
    ),
    # A scale of 1 is no guidance, although there is a negative prompt. The VAE has the real one's multipliers.
    Case(
        "scale_one",
        transformer=Transformer(blocks=5, heads=1),
        vae=Vae(base_dim=4, dim_mult=(1, 2, 4, 4)),
        text=Text(hidden=24, heads=3, kv_heads=3),
        call=Call(prompt=" leading space\nand a new line", true_cfg_scale=1.0, layers=1, steps=6, seed=6),
        weights="bf16",
    ),
]


def demo_case() -> Case:
    """The trained model of the demo with one of its pictures; fixtures.make_demo_case() puts both there. Its sizes are not those here."""
    prompt = (DEMO / "pictures" / "weather.txt").read_text("utf-8").strip()
    return Case("demo_model", call=Call(prompt=prompt, negative_prompt=None, layers=4, resolution=256, steps=4))


def random_cases(count: int, seed: int) -> list[Case]:
    """Cases that nobody chose: the same ones for the same seed, and the first n of a longer list."""
    return [_random_case(index, random.Random(f"{seed}/{index}")) for index in range(count)]


def _random_case(index: int, rng: random.Random) -> Case:
    axes = rng.choice([(4, 6, 6), (8, 4, 4), (4, 10, 10), (8, 8, 8), (8, 12, 12)])
    kv_heads, group, text_head_dim = rng.choice([1, 2, 3]), rng.choice([1, 2, 4]), rng.choice([8, 12, 16])
    text_heads = kv_heads * group
    return Case(
        name=f"random_{index}",
        transformer=Transformer(rng.randint(1, 5), rng.randint(1, 4), sum(axes), axes),
        vae=Vae(
            base_dim=rng.choice([8, 16]),
            dim_mult=rng.choice([(1, 1, 2, 2), (1, 2, 2, 4), (1, 2, 4, 4), (1, 1, 1, 1)]),
            num_res_blocks=rng.randint(1, 2),
        ),
        text=Text(
            hidden=text_heads * text_head_dim,
            intermediate=rng.choice([32, 48, 80]),
            layers=rng.randint(1, 4),
            heads=text_heads,
            kv_heads=kv_heads,
            naming=rng.choice(["flat", "nested"]),
        ),
        call=Call(
            prompt=rng.choice([ENGLISH, CHINESE, EMOJI, LONG, "x"]),
            negative_prompt=rng.choice([" ", "", "blurry", None]),
            layers=rng.randint(1, 10),
            resolution=rng.choice([64, 96, 128, 160, 256]),
            steps=rng.randint(2, 6),
            true_cfg_scale=rng.choice([1.0, 1.5, 4.0, 7.0]),
            cfg_normalize=rng.random() < 0.5,
            seed=rng.randrange(2**40),
            picture=(rng.randint(20, 300), rng.randint(20, 300)),
            mode=rng.choice(["RGB", "RGBA"]),
        ),
        weights=rng.choice(["fp32", "bf16"]),
        shards=rng.randint(1, 3),
    )


def describe(case: Case) -> dict:
    """The specification as plain values, for case.json."""
    return dataclasses.asdict(case)
