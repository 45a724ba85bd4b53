"""Runs the real pipeline and takes its tensors from hooks: nothing here computes anything again."""

from __future__ import annotations

import logging
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers
from diffusers import QwenImageLayeredPipeline
from PIL import Image

from .specs import Call


def load_pipeline(model: Path, dtype: torch.dtype) -> QwenImageLayeredPipeline:
    # Without a caption the processor is never asked, and building it takes torchvision.
    pipe = QwenImageLayeredPipeline.from_pretrained(model, dtype=dtype, processor=None)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def run(pipe: QwenImageLayeredPipeline, image: Path, call: Call,
        init_latents: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    """One call of the pipeline. Returns its tensors by the names that expected.safetensors uses."""
    seen: dict[str, torch.Tensor] = {}
    output = _call(pipe, image, call, _Hooks(pipe, seen, call), init_latents)
    seen["sigmas"] = pipe.scheduler.sigmas
    seen["timesteps"] = pipe.scheduler.timesteps
    seen["pixels"] = torch.from_numpy(np.stack([np.asarray(layer) for layer in output.images[0]]))
    return {name: tensor.detach().clone().contiguous() for name, tensor in seen.items()}


def starting_noise(pipe: QwenImageLayeredPipeline, image: Path, call: Call) -> torch.Tensor:
    """The noise that a call of the pipeline draws. The call ends there, since what follows takes most of its time."""
    seen: dict[str, torch.Tensor] = {}
    try:
        _call(pipe, image, call, _HooksUntilNoise(pipe, seen, call))
    except _NoiseIsDrawn:
        pass
    return seen["init_latents"].detach().clone().contiguous()


@torch.no_grad()
def _call(pipe: QwenImageLayeredPipeline, image: Path, call: Call, hooks: _Hooks, init_latents: torch.Tensor | None = None):
    try:
        return pipe(
            image=Image.open(image).convert("RGBA"),
            prompt=call.prompt,
            negative_prompt=call.negative_prompt,
            layers=call.layers,
            resolution=call.resolution,
            num_inference_steps=call.steps,
            true_cfg_scale=call.true_cfg_scale,
            cfg_normalize=call.cfg_normalize,
            generator=torch.Generator("cpu").manual_seed(call.seed),
            latents=init_latents,
            max_sequence_length=512,
            callback_on_step_end=hooks.step_end,
        )
    finally:
        hooks.remove()


class _Hooks:
    """Listens at the pipeline's own methods and modules, and puts what passes into `seen`."""

    def __init__(self, pipe, seen: dict[str, torch.Tensor], call: Call):
        self._seen = seen
        self._restore = []
        self._branches = iter(["", "negative_"])
        self._wrap(pipe, "encode_prompt", self._prompt)
        self._wrap(pipe, "prepare_latents", self._latents)
        self._wrap(pipe.image_processor, "resize", self._resized)
        self._wrap(pipe.vae, "decode", self._decoded)
        self._handles = [
            pipe.transformer.register_forward_hook(self._noise_pred),
            pipe.text_encoder.register_forward_pre_hook(self._token_ids, with_kwargs=True),
        ]

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        for owner, name in self._restore:
            delattr(owner, name)  # the class's own method shows again

    def _wrap(self, owner, name: str, listen) -> None:
        method = getattr(owner, name)

        def wrapper(*args, **kwargs):
            result = method(*args, **kwargs)
            listen(result)
            return result

        # A pipeline and a module both refuse some attributes; a plain function on the instance is fine for both.
        object.__setattr__(owner, name, wrapper)
        self._restore.append((owner, name))

    def step_end(self, pipe, step, timestep, tensors):
        self._seen["latents"] = tensors["latents"]  # the last step's stays
        return {}

    def _token_ids(self, module, args, kwargs):
        self._branch = next(self._branches)
        self._seen[f"{self._branch}prompt_ids"] = kwargs["input_ids"].to(torch.int32)

    def _prompt(self, result):
        self._seen[f"{self._branch}prompt_embeds"] = result[0]

    def _latents(self, result):
        self._seen["init_latents"], self._seen["image_latents"] = result

    def _resized(self, result):
        # preprocess() resizes a second time, to the size that is there already.
        self._seen.setdefault("resized", torch.from_numpy(np.array(result)))

    def _noise_pred(self, module, args, output):
        tokens = self._seen["init_latents"].shape[1]
        self._seen.setdefault("noise_pred", output[0][:, :tokens])

    def _decoded(self, result):
        self._seen["decoded"] = result[0].squeeze(2)


class _NoiseIsDrawn(Exception):
    """Ends a call of the pipeline."""


class _HooksUntilNoise(_Hooks):
    def _latents(self, result):
        super()._latents(result)
        raise _NoiseIsDrawn


def quiet() -> None:
    for name in ("diffusers", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # sums in one order, whatever the machine has
    _convolve_in_fp32_where_bf16_is_missing()


def _convolve_in_fp32_where_bf16_is_missing() -> None:
    """Where oneDNN has no bf16, LibTorch's own convolutions take 13 times as long. Those of oneDNN, too, sum up in fp32 and round once."""
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return

    def in_fp32(convolve):
        def convolution(x, weight, bias=None, *args, **kwargs):
            if x.dtype != torch.bfloat16:
                return convolve(x, weight, bias, *args, **kwargs)
            bias = None if bias is None else bias.float()
            return convolve(x.float(), weight.float(), bias, *args, **kwargs).to(x.dtype)

        return convolution

    for name in ("conv2d", "conv3d"):
        setattr(torch.nn.functional, name, in_fp32(getattr(torch.nn.functional, name)))
