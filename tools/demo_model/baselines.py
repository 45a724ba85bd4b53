"""Two plain ways to make layers, to compare with."""

from __future__ import annotations

import torch
from torch import Tensor


def one_layer(picture: Tensor, layers: int) -> Tensor:
    """The picture [4, h, w] as layer 0, the others empty: [layers, 4, h, w]. Its composite is the input, whatever it shows."""
    made = torch.zeros(layers, *picture.shape)
    made[0] = picture
    return made


def color_clusters(picture: Tensor, layers: int, rounds: int = 20) -> Tensor:
    """One layer for each of `layers` clusters of colours (k-means), in its mean colour, the largest at the back."""
    pixels = picture[:3].flatten(1).T  # [pixels, 3]
    centers = _spread(pixels, layers)
    for _ in range(rounds):
        nearest = torch.cdist(pixels, centers).argmin(1)
        centers = torch.stack([pixels[nearest == k].mean(0) if (nearest == k).any() else centers[k] for k in range(layers)])
    sizes = torch.bincount(nearest, minlength=layers)
    made = torch.zeros(layers, *picture.shape)
    for place, k in enumerate(sizes.argsort(descending=True).tolist()):
        inside = (nearest == k).view(picture.shape[1:]).float()
        made[place, :3] = centers[k][:, None, None] * inside
        made[place, 3] = inside
    return made


def _spread(pixels: Tensor, count: int) -> Tensor:
    """First centres: the mean, then always the pixel that is farthest from all others so far."""
    centers = pixels.mean(0, keepdim=True)
    while len(centers) < count:
        farthest = torch.cdist(pixels, centers).amin(1).argmax()
        centers = torch.cat([centers, pixels[farthest, None]])
    return centers
