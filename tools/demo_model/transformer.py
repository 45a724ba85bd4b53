"""The transformer, and a faster way through it for training.

`forward` computes what QwenImageTransformer2DModel.forward computes, on its parameters, in a form that compiles well: rotary
embeddings in real numbers, one product for queries, keys and values, no masks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from diffusers import QwenImageTransformer2DModel
from torch import Tensor, nn

from .settings import LATENT_CHANNELS, Sizes

Rotary = tuple[Tensor, Tensor]  # cos and sin, each [tokens, head_dim / 2] fp32


def make_transformer(sizes: Sizes) -> QwenImageTransformer2DModel:
    """Initialised so that every block begins as the identity, and the output as zero."""
    model = QwenImageTransformer2DModel(
        patch_size=2, in_channels=4 * LATENT_CHANNELS, out_channels=LATENT_CHANNELS, num_layers=sizes.blocks,
        num_attention_heads=sizes.heads, attention_head_dim=sizes.head_dim, axes_dims_rope=sizes.axes,
        joint_attention_dim=sizes.text_hidden, guidance_embeds=False, use_additional_t_cond=True, use_layer3d_rope=True,
    )
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            if any(part in name for part in ("img_mod", "txt_mod", "norm_out", "proj_out")):
                nn.init.zeros_(module.weight)
            else:
                nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.normal_(model.time_text_embed.addition_t_embedding.weight, std=0.02)
    return model


def frame_shapes(layers: int, rows: int, columns: int) -> list[list[tuple[int, int, int]]]:
    """The pipeline's img_shapes: the whole picture, the layers, the condition; in tokens."""
    return [[(1, rows, columns)] * (layers + 2)]


def rotary(model: QwenImageTransformer2DModel, layers: int, rows: int, columns: int, text_tokens: int,
           device: torch.device) -> Rotary:
    """For the text and then the image tokens."""
    image, text = model.pos_embed(frame_shapes(layers, rows, columns), max_txt_seq_len=text_tokens, device=device)
    both = torch.cat([text, image])
    return both.real.contiguous(), both.imag.contiguous()


def forward(model: QwenImageTransformer2DModel, tokens: Tensor, timestep: Tensor, text: Tensor, positions: Rotary,
            run_block: Callable | None = None) -> Tensor:
    """Tokens [n, image tokens, 64], timestep [n] in 0 … 1, text [n, text tokens, hidden] -> [n, image tokens, 64]."""
    run_block = run_block or block_forward
    image = model.img_in(tokens)
    text = model.txt_in(model.txt_norm(text))
    no_condition = torch.zeros(len(tokens), dtype=torch.long, device=tokens.device)
    time = F.silu(model.time_text_embed(timestep, image, no_condition))
    for block in model.transformer_blocks:
        text, image = run_block(block, text, image, time, *positions)
    scale, shift = model.norm_out.linear(time).chunk(2, 1)
    image = model.norm_out.norm(image) * (1 + scale[:, None]) + shift[:, None]
    return model.proj_out(image)


def block_forward(block: nn.Module, text: Tensor, image: Tensor, time: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """`time` [n, width] has its SiLU behind it."""
    image_mod = block.img_mod[1](time)[:, None].chunk(6, -1)
    text_mod = block.txt_mod[1](time)[:, None].chunk(6, -1)
    attention = block.attn
    image_qkv = _heads(_modulated(block.img_norm1, image, image_mod[:2]), attention.heads,
                       attention.to_q, attention.to_k, attention.to_v, attention.norm_q, attention.norm_k)
    text_qkv = _heads(_modulated(block.txt_norm1, text, text_mod[:2]), attention.heads, attention.add_q_proj,
                      attention.add_k_proj, attention.add_v_proj, attention.norm_added_q, attention.norm_added_k)
    q, k, v = (torch.cat(pair, 1) for pair in zip(text_qkv, image_qkv))  # [n, tokens, heads, head_dim]
    q, k = _rotated(q, cos, sin), _rotated(k, cos, sin)
    mixed = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2).flatten(2)
    length = text.shape[1]
    image = image + image_mod[2] * attention.to_out[0](mixed[:, length:])
    text = text + text_mod[2] * attention.to_add_out(mixed[:, :length])
    image = image + image_mod[5] * block.img_mlp(_modulated(block.img_norm2, image, image_mod[3:5]))
    text = text + text_mod[5] * block.txt_mlp(_modulated(block.txt_norm2, text, text_mod[3:5]))
    return text, image


def _modulated(norm: nn.LayerNorm, x: Tensor, mod: tuple[Tensor, Tensor]) -> Tensor:
    shift, scale = mod
    return norm(x) * (1 + scale) + shift


def _heads(x: Tensor, heads: int, to_q: nn.Linear, to_k: nn.Linear, to_v: nn.Linear, norm_q: nn.Module,
           norm_k: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    weight = torch.cat([to_q.weight, to_k.weight, to_v.weight])
    bias = torch.cat([to_q.bias, to_k.bias, to_v.bias])
    q, k, v = F.linear(x, weight, bias).unflatten(-1, (3, heads, -1)).unbind(2)
    return _rms(q, norm_q), _rms(k, norm_k), v


def _rms(x: Tensor, norm: nn.Module) -> Tensor:
    wide = x.float()
    wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + norm.eps)
    return (wide * norm.weight).to(x.dtype)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Neighbouring pairs as complex numbers, turned."""
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = cos[None, :, None], sin[None, :, None]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2).to(x.dtype)
