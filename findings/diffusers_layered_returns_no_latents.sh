#!/usr/bin/env bash
# diffusers 0.42.1: QwenImageLayeredPipeline takes output_type="latent", denoises to the end, and raises UnboundLocalError in place of
# giving the latents. "pil", "pt" and "np" work. Its sibling QwenImagePipeline gives latents. A user who asks for them, to decode later
# or on another device, loses the whole run at its last line.
#
# Seen with diffusers 0.42.1, transformers 5.23.0, torch 2.11.0, a random model of one block:
#   pil: 1 result; latent: UnboundLocalError, "cannot access local variable 'images' where it is not associated with a value"
# What layerpipe does about it: its parity fixtures take the reference's latents from the callback behind each step
# (tools/parity/reference.py), and docs/parity.md says why.
#
#   findings/diffusers_layered_returns_no_latents.sh
#
# Installs diffusers, transformers and torch into a temporary folder (a download of about 2 GB). Exits with 1 when the behaviour has
# changed.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  diffusers==0.42.1 transformers==5.23.0 torch==2.11.0 numpy pillow

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import diffusers
import torch
from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageLayeredPipeline, QwenImageTransformer2DModel
from PIL import Image
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

torch.manual_seed(0)
text_encoder = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(
    text_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1, vocab_size=32,
                     rope_parameters=dict(rope_type="default", rope_theta=1e6, mrope_section=[4, 2, 2])),
    vision_config=dict(depth=1, hidden_size=8, intermediate_size=16, num_heads=1, out_hidden_size=16, fullatt_block_indexes=[0])))
pipe = QwenImageLayeredPipeline(
    scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
    vae=AutoencoderKLQwenImage(base_dim=8, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
                               input_channels=4),
    text_encoder=text_encoder, tokenizer=None, processor=None,
    transformer=QwenImageTransformer2DModel(
        patch_size=2, in_channels=64, out_channels=16, num_layers=1, attention_head_dim=24, num_attention_heads=1, joint_attention_dim=16,
        axes_dims_rope=(8, 8, 8), use_additional_t_cond=True, use_layer3d_rope=True))
pipe.set_progress_bar_config(disable=True)


def results(output_type: str) -> int | str:
    try:
        return len(pipe(
            image=Image.new("RGBA", (640, 640), "white"), prompt="a prompt whose embedding is given", prompt_embeds=torch.zeros(1, 4, 16),
            prompt_embeds_mask=torch.ones(1, 4, dtype=torch.long), layers=1, resolution=640, num_inference_steps=2, true_cfg_scale=1,
            output_type=output_type, generator=torch.Generator().manual_seed(0)).images)
    except UnboundLocalError as error:
        return f"UnboundLocalError: {error}"


pictures, latents = results("pil"), results("latent")
print(f"diffusers {diffusers.__version__}: pil: {pictures}; latent: {latents}")
sys.exit(not (pictures == 1 and isinstance(latents, str) and "'images'" in latents))
PYTHON
