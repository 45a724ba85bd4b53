"""The VAE on single pictures: two-dimensional, which is what one frame makes of it, and much faster.

The functions compute on the parameters of an AutoencoderKLQwenImage. With one frame, a causal 3 x 3 x 3 convolution is the 3 x 3
convolution of its last time slice; the other slices stay zero, and `time_conv` is never used.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLQwenImage
from torch import Tensor, nn

from .settings import LATENT_CHANNELS, Sizes


def make_vae(sizes: Sizes, **settings) -> AutoencoderKLQwenImage:
    """Initialised so that every residual branch begins as zero: without that, training stands still at a PSNR of 13 dB, even on four
    pictures, unless its steps are three times as small."""
    vae = AutoencoderKLQwenImage(
        base_dim=sizes.vae_base_dim, z_dim=LATENT_CHANNELS, dim_mult=list(sizes.vae_dim_mult), num_res_blocks=sizes.vae_res_blocks,
        temperal_downsample=[False, True, True], input_channels=4, **settings,
    )
    with torch.no_grad():
        for name, parameter in vae.named_parameters():
            if parameter.ndim != 5:
                continue
            if parameter.shape[2] == 1 and "time_conv" not in name:
                continue
            last = parameter[:, :, -1].clone()
            parameter.zero_()
            if "time_conv" not in name and ".conv2." not in name:
                # Initialised for three slices' worth of inputs; one is all there is.
                parameter[:, :, -1] = last * 3**0.5
        for block in (*vae.encoder.mid_block.attentions, *vae.decoder.mid_block.attentions):
            block.proj.weight.zero_()
        # Latents begin with little noise. From a variance of 1, training spends its first thousands of steps getting rid of it.
        vae.quant_conv.weight[LATENT_CHANNELS:] *= 0.1
        vae.quant_conv.bias[LATENT_CHANNELS:] = -8.0
    return vae


def encode(vae: AutoencoderKLQwenImage, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures [n, 4, h, w] in -1 … 1 -> mean and log variance of the latents, each [n, 16, h/8, w/8]."""
    encoder = vae.encoder
    x = _conv(encoder.conv_in, pictures.contiguous(memory_format=torch.channels_last))
    for layer in encoder.down_blocks:
        x = _down(layer, x) if hasattr(layer, "resample") else _residual(layer, x)
    x = _middle(encoder.mid_block, x)
    x = _conv(encoder.conv_out, F.silu(_norm(encoder.norm_out, x)))
    mean, log_variance = _conv(vae.quant_conv, x).float().chunk(2, 1)
    return mean, log_variance.clamp(-30, 20)


def decode(vae: AutoencoderKLQwenImage, latents: Tensor) -> Tensor:
    """Latents [n, 16, h/8, w/8] -> pictures [n, 4, h, w], not clamped."""
    decoder = vae.decoder
    x = _conv(vae.post_quant_conv, latents.contiguous(memory_format=torch.channels_last))
    x = _middle(decoder.mid_block, _conv(decoder.conv_in, x))
    for block in decoder.up_blocks:
        for layer in block.resnets:
            x = _residual(layer, x)
        if block.upsamplers is not None:
            x = _conv2d(_doubled(x), block.upsamplers[0].resample[1])
    return _conv(decoder.conv_out, F.silu(_norm(decoder.norm_out, x))).float()


def _conv(layer: nn.Conv3d, x: Tensor) -> Tensor:
    weight = layer.weight[:, :, -1].contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, weight, layer.bias, padding=weight.shape[-1] // 2)


def _conv2d(x: Tensor, layer: nn.Conv2d) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding)


def _norm(layer: nn.Module, x: Tensor) -> Tensor:
    return F.normalize(x.float(), dim=1).to(x.dtype) * layer.scale * layer.gamma.reshape(1, -1, 1, 1).to(x.dtype)


def _residual(block: nn.Module, x: Tensor) -> Tensor:
    shortcut = x if isinstance(block.conv_shortcut, nn.Identity) else _conv(block.conv_shortcut, x)
    x = _conv(block.conv1, F.silu(_norm(block.norm1, x)))
    x = _conv(block.conv2, F.silu(_norm(block.norm2, x)))
    return x + shortcut


def _doubled(x: Tensor) -> Tensor:
    """Each pixel four times, as F.interpolate would, whose gradient takes ten times as long: it adds one by one."""
    rows = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(-1, -1, 2, -1, 2, -1)  # [n, h, 2, w, 2, channels]
    return rows.reshape(x.shape[0], 2 * x.shape[2], 2 * x.shape[3], x.shape[1]).permute(0, 3, 1, 2)


def _down(layer: nn.Module, x: Tensor) -> Tensor:
    return _conv2d(F.pad(x, (0, 1, 0, 1)), layer.resample[1])


def _middle(block: nn.Module, x: Tensor) -> Tensor:
    x = _residual(block.resnets[0], x)
    for attention, residual in zip(block.attentions, block.resnets[1:]):
        x = _residual(residual, _attention(attention, x))
    return x


def _attention(block: nn.Module, x: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    qkv = _conv2d(_norm(block.norm, x), block.to_qkv).reshape(n, 1, 3 * channels, height * width).transpose(2, 3)
    q, k, v = (part.contiguous() for part in qkv.chunk(3, -1))
    mixed = F.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2).reshape(n, channels, height, width)
    return x + _conv2d(mixed, block.proj)


class Latents:
    """Latents of a trained VAE in the pipeline's normalised form."""

    def __init__(self, vae: AutoencoderKLQwenImage, encode_function=encode):
        self._vae, self._encode = vae, encode_function
        device = next(vae.parameters()).device
        self._mean, self._std = (torch.tensor(values, device=device).view(1, -1, 1, 1)
                                 for values in (vae.config.latents_mean, vae.config.latents_std))

    @torch.no_grad()
    def of(self, pictures: Tensor) -> Tensor:
        """Straight pictures [n, 4, h, w], 0 … 1 -> latents [n, 16, h/8, w/8]."""
        mean, _ = self._encode(self._vae, pictures * 2 - 1)
        return (mean - self._mean) / self._std

    @torch.no_grad()
    def pictures(self, latents: Tensor) -> Tensor:
        """The other way; 0 … 1."""
        return (decode(self._vae, latents * self._std + self._mean) / 2 + 0.5).clamp(0, 1)
