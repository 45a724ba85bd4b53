"""The README.md of the exported model."""

from __future__ import annotations

import json
from pathlib import Path

from .settings import PLANS
from .state import Progress

CARD = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: image-to-image
---
# A small model that takes pictures apart

The architecture and the files of Qwen-Image-Layered, {megabytes:.1f} MB in bf16: for demonstrations, tests and benchmarks that run in a
minute on two CPU cores. It was trained from nothing on drawn scenes by `tools/demo_model`; no weights, pictures or texts of others
went into it.

| part | class | parameters |
| --- | --- | --- |
| transformer | QwenImageTransformer2DModel, {blocks} blocks, {heads} heads × {head_dim}, rotary axes {axes} | {transformer:,} |
| VAE, RGBA, 8×, 16 channels | AutoencoderKLQwenImage, base {base}, multiples {multiples} | {vae:,} |
| text encoder | Qwen2_5_VLForConditionalGeneration, random, never trained | {text:,} |

## Use
```
build/layerpipe decompose --model demo/model --image PICTURE.png --out layers --any-resolution --resolution 256 \\
    --layers 4 --steps 20 --no-cfg --prompt "A large red circle, a white star and black letters on a blue background."
```
diffusers' `QwenImageLayeredPipeline` loads it too; under `python -O`, which switches off its assertion of 640 or 1024.

## Data
Scenes of 256 × 256, 320 × 224 and 224 × 320 pixels, drawn as they were needed, from seed {seed}: a background (gradients with stripes,
checks, dots, clouds, lights, small stars, hills or grain), and on it up to three elements, from back to front: a large shape or blob; a
middle-sized shape or icon; a line of letters (Latin, Greek, Cyrillic, Chinese, Devanagari-like, numbers; all drawn with strokes of our
own) or of small shapes. Elements may be shaded, textured, outlined, soft, translucent, or cast a shadow, which belongs to
their layer. Layer 0 is the background; each element has a layer of its own; with more elements than layers the last layer
takes the rest; with fewer, the last layers are empty. Prompts name colours, kinds and places.

## Training
{vae_minutes:.1f} minutes of the VAE (L1, L2 and gradients of what is seen, more near edges, a light KL term), then {minutes:.1f} minutes of the transformer
({steps:,} steps) on one H200: flow matching with the pipeline's time shift, frame 0 the whole picture, the
condition frame last, 13 % of the prompts replaced by the default negative prompt. The weights are exponential averages.
{evaluation}
## Limits
- It knows drawn scenes like those above. Photographs come apart badly.
- At most four layers, and pictures of about 256 pixels.
- The text encoder is random: prompts help a little, captions (an empty prompt) are noise.
- Strong guidance makes its layers worse, not better: the picture already says nearly all that a prompt could.

## Licence
Apache-2.0, weights and data alike.
"""


def write(folder: Path, progress: Progress, counts: dict[str, int], evaluation: Path | None) -> None:
    plan = PLANS[progress.plan]()
    sizes = plan.sizes
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    (folder / "README.md").write_text(CARD.format(
        megabytes=size / 1e6, blocks=sizes.blocks, heads=sizes.heads, head_dim=sizes.head_dim, axes=sizes.axes, base=sizes.vae_base_dim,
        multiples=sizes.vae_dim_mult, seed=plan.seed, steps=progress.step, minutes=progress.seconds / 60,
        vae_minutes=progress.vae_seconds / 60, transformer=counts["transformer"], vae=counts["vae"], text=counts["text encoder"],
        evaluation=_evaluation(evaluation)), "utf-8")


def _evaluation(file: Path | None) -> str:
    if file is None:
        return ""
    result = json.loads(file.read_text())
    lines = ["", "## Quality", f"On {result['scenes']} scenes of another seed, through {result['program']}, {result['settings']}:", "",
             "| | composite PSNR | alpha IoU | of the foreground | colour error |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {name} | {s['psnr']:.1f} dB | {s['iou']:.3f} | {s['foreground_iou']:.3f} | {s['color_error']:.3f} |"
              for name, s in result["methods"].items()]
    lines += ["", "\"One layer\" is a copy of the picture as the first layer: its PSNR says nothing, the other figures what that is worth."]
    return "\n".join(lines) + "\n"
