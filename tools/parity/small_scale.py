"""Single layers at a scale at which the epsilons of their norms matter, and at unit scale.

The models of the cases compute with numbers around one, where an epsilon of 1e-6 is invisible in fp32. Here activations
of 1e-3 come in, whose mean square is as small as the epsilon, and the queries and keys of the block are as small.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import QwenImageRMS_norm
from safetensors.torch import save_file
from transformers import Qwen2_5_VLTextConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLTextModel

from .models import randomise

SCALES = {"unit": 1.0, "small": 1e-3}
FRAMES, ROWS, COLUMNS = 2, 2, 3  # noise frames; one condition frame follows
TEXT_TOKENS = 5
HEADS, HEAD_DIM, AXES = 2, 12, (4, 2, 6)
IN_CHANNELS, TEXT_WIDTH = 8, 16
TEXT_ENCODER_EPS = 1e-5  # not the default, so that it has to come from the config
# Lengths of a pixel's channels on both sides of the VAE norm's 1e-12, and none at all.
PIXEL_LENGTHS = (0.0, 3e-14, 3e-13, 3e-12, 1e-3, 1.0)


@torch.no_grad()
def make_small_scale(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(sorted(_tensors().items())), folder / "small_scale.safetensors", metadata={"format": "pt"})


def _tensors() -> dict[str, torch.Tensor]:
    tensors = _transformer() | _text_encoder() | _vae_norm()
    return {name: tensor.clone().contiguous() for name, tensor in tensors.items()}


def _normal(key: str, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(f"small_scale/{key}".encode())))


def _weights(model: torch.nn.Module, key: str) -> dict[str, torch.Tensor]:
    """Random weights that bf16 holds exactly, so that the file stays small; bf16 for the file, fp32 in the model."""
    randomise(model, f"small_scale/{key}")
    for name, parameter in model.named_parameters():
        if any(part in name for part in ("to_q.", "to_k.", "add_q_proj.", "add_k_proj.")):
            parameter.mul_(1e-3)  # small queries and keys: their norms have an epsilon too
        parameter.copy_(parameter.to(torch.bfloat16))
    return {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}


def _transformer() -> dict[str, torch.Tensor]:
    dim = HEADS * HEAD_DIM
    model = QwenImageTransformer2DModel(
        patch_size=2, in_channels=IN_CHANNELS, out_channels=IN_CHANNELS // 4, num_layers=1, num_attention_heads=HEADS,
        attention_head_dim=HEAD_DIM, axes_dims_rope=AXES, joint_attention_dim=TEXT_WIDTH, use_layer3d_rope=True,
    )
    tensors = {f"transformer.{name}": tensor for name, tensor in _weights(model, "transformer").items()
               if not name.startswith("time_text_embed.")}
    block = model.transformer_blocks[0]
    image_tokens = (FRAMES + 1) * ROWS * COLUMNS
    rotary = model.pos_embed([[(1, ROWS, COLUMNS)] * (FRAMES + 1)], TEXT_TOKENS, device=torch.device("cpu"))
    temb = _normal("temb", 1, dim)
    tensors["temb"] = temb
    for scale_name, scale in SCALES.items():
        image = scale * _normal("image", 1, image_tokens, dim)
        text = scale * _normal("text", 1, TEXT_TOKENS, dim)
        prompt_embeds = scale * _normal("prompt_embeds", 1, TEXT_TOKENS, TEXT_WIDTH)
        text_out, image_out = block(image, text, None, temb, rotary)
        tensors |= {f"{scale_name}.{name}": tensor[0] for name, tensor in {
            "hidden_states": image, "encoder_hidden_states": text,
            "block.hidden_states": image_out, "block.encoder_hidden_states": text_out,
            "head": model.proj_out(model.norm_out(image, temb)),
            "prompt_embeds": prompt_embeds,
            "embedded_text": model.txt_in(model.txt_norm(prompt_embeds)),
        }.items()}
    return tensors


def _text_encoder() -> dict[str, torch.Tensor]:
    config = Qwen2_5_VLTextConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=1, rms_norm_eps=TEXT_ENCODER_EPS, max_position_embeddings=64, use_sliding_window=False,
        pad_token_id=None, rope_parameters=dict(rope_type="default", rope_theta=1000000.0, mrope_section=[2, 1, 1]),
    )
    config._attn_implementation = "sdpa"
    model = Qwen2_5_VLTextModel(config)
    tensors = {f"text_encoder.{name}": tensor for name, tensor in _weights(model, "text_encoder").items()}
    positions = torch.arange(TEXT_TOKENS).view(1, 1, -1).expand(3, 1, -1)
    for scale_name, scale in SCALES.items():
        hidden_states = scale * _normal("text_layer", 1, TEXT_TOKENS, config.hidden_size)
        tensors[f"{scale_name}.text_layer_in"] = hidden_states[0]
        mask = torch.ones(TEXT_TOKENS, TEXT_TOKENS, dtype=torch.bool).tril().view(1, 1, TEXT_TOKENS, TEXT_TOKENS)
        output = model.layers[0](hidden_states, attention_mask=mask,
                                 position_embeddings=model.rotary_emb(hidden_states, positions))
        tensors[f"{scale_name}.text_layer_out"] = output[0]
    return tensors


def _vae_norm() -> dict[str, torch.Tensor]:
    norm = QwenImageRMS_norm(4, images=False)
    gamma = 1 + 0.2 * _normal("gamma", 4, 1, 1, 1)
    norm.gamma.copy_(gamma)
    pixels = torch.nn.functional.normalize(_normal("pixels", 1, 4, 1, 1, len(PIXEL_LENGTHS)), dim=1)
    pixels = pixels * torch.tensor(PIXEL_LENGTHS)
    return {"vae_norm.gamma": gamma.flatten(), "vae_norm.in": pixels[:, :, 0], "vae_norm.out": norm(pixels)[:, :, 0]}
