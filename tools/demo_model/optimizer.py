"""All parameters of a model as one vector: its optimizer, its running average, and how they are kept in files."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from . import quantise


class FlatOptimizer:
    """AdamW over one vector that the model's parameters are views of, and an exponential average of it.

    The gradients are views too: call `zero_grad` here, never on the model.
    """

    def __init__(self, model: nn.Module, ema: float, clip: float):
        parameters = [p for _, p in sorted(model.named_parameters())]
        self._model, self._ema_decay, self._clip = model, ema, clip
        self._count = sum(p.numel() for p in parameters)
        device = parameters[0].device
        self._vector = nn.Parameter(torch.cat([p.detach().float().flatten() for p in parameters]))
        self._vector.grad = torch.zeros(self._count, device=device)
        self._views = []
        begin = 0
        for p in parameters:
            end = begin + p.numel()
            p.data = self._vector.data[begin:end].view(p.shape)
            p.grad = self._vector.grad[begin:end].view(p.shape)
            self._views.append((p, begin, end))
            begin = end
        self.average = self._vector.data.clone()  # [parameters] fp32
        self._adam = torch.optim.AdamW([self._vector], lr=0.0, betas=(0.9, 0.99), weight_decay=0.0, fused=device.type == "cuda")
        self.gradient_norm = torch.zeros((), device=device)

    def zero_grad(self) -> None:
        self._vector.grad.zero_()

    def step(self, number: int, learning_rate: float) -> None:
        gradient = self._vector.grad
        self.gradient_norm = gradient.norm()
        share = (self._clip / (self.gradient_norm + 1e-6)).clamp(max=1.0)
        # A step that is not finite is left out, without asking the device for it.
        gradient.copy_(torch.where(self.gradient_norm.isfinite(), gradient * share, 0.0))
        self._adam.param_groups[0]["lr"] = learning_rate
        self._adam.step()
        decay = min(self._ema_decay, (1 + number) / (10 + number))
        self.average.lerp_(self._vector.data, 1 - decay)

    def averaged_state(self) -> dict[str, Tensor]:
        """The model's tensors by name, with averaged parameters, fp32."""
        at = {id(p): (begin, end) for p, begin, end in self._views}
        state = {}
        for name, p in self._model.named_parameters():
            begin, end = at[id(p)]
            state[name] = self.average[begin:end].view(p.shape).clone()
        return state

    def state(self) -> dict[str, Tensor]:
        """About five bytes a parameter: the average in 16 bits, in 8 each the parameters' distance from it and Adam's two moments."""
        moments = self._adam.state[self._vector]
        packed = quantise.pack("average", self.average, 16) | quantise.pack("distance", self._vector.data - self.average, 8)
        packed |= quantise.pack("first", moments["exp_avg"], 8)
        packed |= quantise.pack("second", moments["exp_avg_sq"].sqrt(), 8, never_zero=True)
        return packed | {"adam_step": moments["step"].reshape(1).float().cpu()}

    def restore(self, packed: dict[str, Tensor]) -> None:
        device = self._vector.device
        values = {name: quantise.unpack(name, packed, self._count).to(device) for name in ("average", "distance", "first", "second")}
        self.average.copy_(values["average"])
        self._vector.data.copy_(values["average"] + values["distance"])
        self._adam.step()  # makes its state; with a learning rate and gradients of 0 it changes nothing else
        moments = self._adam.state[self._vector]
        moments["step"].fill_(packed["adam_step"].item())
        moments["exp_avg"].copy_(values["first"])
        moments["exp_avg_sq"].copy_(values["second"].square())


def learning_rate(peak: float, step: int, warmup_steps: int, progress: float, final_share: float) -> float:
    """A linear warm-up by steps, then a cosine by `progress`, the share of the planned time that is over."""
    cosine = 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0))
    return peak * min(1.0, (step + 1) / warmup_steps) * (final_share + (1 - final_share) * cosine)
