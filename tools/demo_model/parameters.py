"""Draws the parameters of scenes: small tensors on the CPU, the same from a seed wherever they are rendered.

The rule of the layers, which the model has to learn: layer 0 is the background; then come the elements from back to front, each in
a layer of its own: a large shape, a middle-sized shape or icon, a line of letters or small shapes. With more elements
than layers, the last layer takes all that are left; with fewer, the last layers are empty. One layer is the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from . import palette
from .atlas import Atlas
from .shapes import ICONS, PLAIN

PATTERNS = ["plain", "striped", "checked", "dotted", "cloudy", "sparkling", "hilly", "grainy"]
DISCS = 9  # of the sparkling pattern
ROLES = 3  # large, middle, line
LETTERS = 6  # at most, in a line

# Of one, two or three elements, for 1, 2, 3 and 4 layers.
ELEMENT_COUNTS = {1: (0.34, 0.33, 0.33), 2: (0.70, 0.18, 0.12), 3: (0.12, 0.70, 0.18), 4: (0.08, 0.17, 0.75)}
# What goes into a place: half sizes in units of half the picture's shorter side.
LARGE, MIDDLE, LETTER = (0.44, 0.72), (0.22, 0.36), (0.10, 0.17)


@dataclass
class Background:
    colors: torch.Tensor  # [n, 4, 3]: two of the gradient, the pattern's, one more for hills
    names: torch.Tensor  # [n, 2] of the gradient's first colour and the pattern's
    angle: torch.Tensor  # [n] of the gradient
    radial: torch.Tensor  # [n] 0 or 1
    pattern: torch.Tensor  # [n] index into PATTERNS
    strength: torch.Tensor  # [n] of the pattern
    period: torch.Tensor  # [n] in units of half the shorter side
    turn: torch.Tensor  # [n] the pattern's angle
    noise: torch.Tensor  # [n, 2, 10, 10] coarse noise: cloudy pattern and general unevenness
    discs: torch.Tensor  # [n, 9, 4] of the sparkling pattern, lights or small stars: x, y, radius, strength
    hilly: torch.Tensor  # [n] 0 or 1: hills below the pattern
    hills: torch.Tensor  # [n, 2, 5] two ridges: base, and height and phase of two waves
    seed: torch.Tensor  # [n] of the grain


@dataclass
class Elements:
    """One row a role; all [n, 3] unless said otherwise. Lengths are in units of half the shorter side."""

    present: torch.Tensor  # bool
    shape: torch.Tensor  # index into the atlas' shapes (roles 0 and 1)
    letters: torch.Tensor  # [n, 6] indices into the atlas' glyphs, -1 past the end (role 2)
    script: list[str]  # [n] what the letters are: a script, or the name of a small shape
    center: torch.Tensor  # [n, 3, 2] x, y
    size: torch.Tensor  # half size; of letters half the height
    aspect: torch.Tensor  # width : height
    turn: torch.Tensor
    color: torch.Tensor  # [n, 3, 2, 3] two colours of its own gradient
    name: torch.Tensor  # of the colour
    shade_turn: torch.Tensor
    texture: torch.Tensor  # 0 none, 1 stripes, 2 dots
    softness: torch.Tensor  # width of the edge
    opacity: torch.Tensor
    outline: torch.Tensor  # width, 0 for none
    outline_color: torch.Tensor  # [n, 3, 3]
    shadow: torch.Tensor  # [n, 3, 4] x, y, blur, strength


@dataclass
class SceneParameters:
    background: Background
    elements: Elements

    def __len__(self) -> int:
        return self.elements.present.shape[0]


def draw_parameters(source: torch.Generator, count: int, layers: int, atlas: Atlas, aspect: float = 1.0) -> SceneParameters:
    """`aspect` is the picture's width divided by its height."""
    background = _draw_background(source, count)
    return SceneParameters(background, _draw_elements(source, count, layers, atlas, background, aspect))


def _uniform(source: torch.Generator, low: float, high: float, *shape: int) -> torch.Tensor:
    return low + (high - low) * torch.rand(*shape, generator=source)


def _chance(source: torch.Generator, share: float, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=source) < share


def _draw_background(source: torch.Generator, n: int) -> Background:
    name, first = palette.draw_colors(source, n)
    _, other = palette.draw_colors(source, n)
    second = first + (other - first) * _uniform(source, 0.0, 0.6, n, 1)
    pattern_name, pattern_color = palette.draw_colors(source, n)
    _, hill = palette.draw_colors(source, n)
    weights = torch.tensor([0.18, 0.14, 0.10, 0.12, 0.14, 0.10, 0.14, 0.08])
    pattern = torch.multinomial(weights, n, replacement=True, generator=source)
    sparkling = pattern == PATTERNS.index("sparkling")
    stars = sparkling & _chance(source, 0.5, n)
    under_hills = (sparkling | (pattern == PATTERNS.index("cloudy"))) & _chance(source, 0.4, n)
    radius = torch.where(stars[:, None], _uniform(source, 0.008, 0.022, n, DISCS), _uniform(source, 0.06, 0.35, n, DISCS))
    return Background(
        colors=torch.stack([first, second, pattern_color, 0.5 * (pattern_color + hill)], 1),
        names=torch.stack([name, pattern_name], 1),
        angle=_uniform(source, 0, 2 * math.pi, n),
        radial=_chance(source, 0.3, n).float(),
        pattern=pattern,
        strength=torch.where(stars, _uniform(source, 0.6, 0.95, n), _uniform(source, 0.15, 0.55, n)),
        period=_uniform(source, 0.2, 0.5, n),
        turn=_uniform(source, 0, math.pi, n),
        noise=torch.randn(n, 2, 10, 10, generator=source),
        discs=torch.stack([_uniform(source, -1.2, 1.2, n, DISCS), _uniform(source, -1.2, 1.2, n, DISCS), radius,
                           torch.where(stars[:, None], 1.0, _uniform(source, 0.2, 0.7, n, DISCS))], -1),
        hilly=((pattern == PATTERNS.index("hilly")) | under_hills).float(),
        hills=torch.stack([
            torch.stack([_uniform(source, low, high, n), _uniform(source, 0.04, 0.14, n), _uniform(source, 0, 6.3, n),
                         _uniform(source, 0.02, 0.06, n), _uniform(source, 0, 6.3, n)], -1)
            for low, high in ((0.25, 0.5), (0.55, 0.8))], 1),
        seed=torch.randint(1 << 30, (n,), generator=source),
    )


def _draw_elements(source: torch.Generator, n: int, layers: int, atlas: Atlas, background: Background, aspect: float) -> Elements:
    letters, script = _draw_letters(source, n, atlas)
    length = (letters >= 0).sum(1).float()
    size, wide = _draw_sizes(source, n)
    size[:, 2] = torch.minimum(size[:, 2], 0.95 / (0.93 * length))  # the line fits into the picture
    center = _draw_centers(source, n, size, length, aspect)
    color, name, outline_color = _draw_colors(source, n, background)
    soft = _chance(source, 0.15, n, ROLES)
    soft[:, 2] = False
    clear = _chance(source, 0.12, n, ROLES)
    clear[:, 2] = False
    texture = torch.where(_chance(source, 0.2, n, ROLES), torch.randint(1, 3, (n, ROLES), generator=source), 0)
    texture[:, 2] = 0
    outlined = _chance(source, 0.15, n, ROLES) & ~soft
    shadowed = _chance(source, 0.35, n, ROLES) & ~clear
    turned = _chance(source, 0.5, n, ROLES).float() * torch.tensor([1.0, 1.0, 0.5])
    direction = _uniform(source, 0.2, 1.4, n)
    reach = _uniform(source, 0.03, 0.075, n, ROLES)
    return Elements(
        present=_draw_presence(source, n, layers),
        shape=_draw_shapes(source, n, atlas),
        letters=letters,
        script=script,
        center=center,
        size=size,
        aspect=wide,
        turn=turned * _uniform(source, -0.5, 0.5, n, ROLES),
        color=color,
        name=name,
        shade_turn=_uniform(source, 0, 2 * math.pi, n, ROLES),
        texture=texture,
        softness=torch.where(soft, _uniform(source, 0.03, 0.1, n, ROLES), torch.tensor(0.0)),
        opacity=torch.where(clear, _uniform(source, 0.6, 0.85, n, ROLES), torch.tensor(1.0)),
        outline=torch.where(outlined, _uniform(source, 0.025, 0.05, n, ROLES), torch.tensor(0.0)),
        outline_color=outline_color,
        shadow=torch.stack([reach * direction.cos()[:, None], reach * direction.sin()[:, None],
                            _uniform(source, 0.04, 0.09, n, ROLES),
                            torch.where(shadowed, _uniform(source, 0.3, 0.55, n, ROLES), torch.tensor(0.0))], -1),
    )


def _draw_presence(source: torch.Generator, n: int, layers: int) -> torch.Tensor:
    weights = torch.tensor(ELEMENT_COUNTS[min(layers, 4)])
    count = 1 + torch.multinomial(weights, n, replacement=True, generator=source)  # [n]
    rank = torch.rand(n, ROLES, generator=source).argsort(1).argsort(1)
    return rank < count[:, None]


def _draw_shapes(source: torch.Generator, n: int, atlas: Atlas) -> torch.Tensor:
    plain, named = len(PLAIN), len(PLAIN) + len(ICONS)
    total = len(atlas.shape_names)
    # Large: plain shapes and blobs above all. Middle: icons above all.
    weights = torch.zeros(2, total)
    weights[0, :plain], weights[0, plain:named], weights[0, named:] = 0.6 / plain, 0.1 / len(ICONS), 0.3 / (total - named)
    weights[1, :plain], weights[1, plain:named], weights[1, named:] = 0.35 / plain, 0.55 / len(ICONS), 0.1 / (total - named)
    for thin in ("ring", "frame", "bar"):
        weights[0, atlas.shape_names.index(thin)] *= 0.5
    drawn = torch.multinomial(weights, n, replacement=True, generator=source)  # [2, n]
    return torch.cat([drawn, torch.zeros(1, n, dtype=torch.long)]).T


def _draw_letters(source: torch.Generator, n: int, atlas: Atlas) -> tuple[torch.Tensor, list[str]]:
    kinds = list(atlas.scripts) + list(atlas.small)
    weights = torch.tensor([0.30, 0.08, 0.08, 0.10, 0.12, 0.06] + [0.26 / len(atlas.small)] * len(atlas.small))
    kind = torch.multinomial(weights, n, replacement=True, generator=source)
    first = torch.tensor([r.start for r in atlas.scripts.values()] + list(atlas.small.values()))
    count = torch.tensor([len(r) for r in atlas.scripts.values()] + [1] * len(atlas.small))
    share = torch.rand(n, LETTERS, generator=source)
    letters = first[kind, None] + (share * count[kind, None]).long()
    length = torch.randint(2, LETTERS + 1, (n, 1), generator=source)
    return torch.where(torch.arange(LETTERS) < length, letters, -1), [kinds[k] for k in kind.tolist()]


def _draw_sizes(source: torch.Generator, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Half sizes and aspects, each [n, 3]."""
    size = torch.stack([_uniform(source, *limits, n) for limits in (LARGE, MIDDLE, LETTER)], 1)
    aspect = torch.stack([_uniform(source, 0.8, 1.3, n), _uniform(source, 0.85, 1.2, n), torch.ones(n)], 1)
    return size, aspect


def _draw_centers(source: torch.Generator, n: int, size: torch.Tensor, length: torch.Tensor, aspect: float,
                  candidates: int = 6) -> torch.Tensor:
    """Places [n, 3, 2] inside the picture that do not hide one element behind another altogether."""
    half = torch.tensor([max(aspect, 1.0), max(1 / aspect, 1.0)])
    reach = size[..., None].repeat(1, 1, 2)
    reach[:, 2, 0] = 0.93 * length * size[:, 2]
    room = (half - 0.75 * reach).clamp(min=0.02)
    room[:, 2] = (half - 1.1 * reach[:, 2]).clamp(min=0.02)
    tries = (torch.rand(n, candidates, ROLES, 2, generator=source) * 2 - 1) * room[:, None]
    centers = [tries[:, 0, 0]]
    rows = torch.arange(n)
    for role in (1, 2):
        apart = torch.full((n, candidates), torch.inf)
        for other, center in enumerate(centers):
            gap = (tries[:, :, role] - center[:, None]) / (reach[:, role] + reach[:, other])[:, None]
            apart = torch.minimum(apart, gap.abs().amax(-1))
        score = apart.clamp(max=0.8) + 0.7 * torch.rand(n, candidates, generator=source)
        centers.append(tries[rows, score.argmax(1), role])
    return torch.stack(centers, 1)


def _draw_colors(source: torch.Generator, n: int, background: Background) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Colours [n, 3, 2, 3], their names [n, 3] and outlines' colours [n, 3, 3]."""
    taken = background.colors
    colors, names, outlines = [], [], []
    for _ in range(ROLES):
        name, color = palette.draw_contrasting(source, taken)
        taken = torch.cat([taken, color[:, None]], 1)
        _, other = palette.draw_colors(source, n)
        second = color + (other - color) * 0.35 * _uniform(source, 0, 1, n, 1) * _chance(source, 0.6, n, 1)
        _, outline = palette.draw_contrasting(source, color[:, None])
        colors.append(torch.stack([color, second], 1))
        names.append(name)
        outlines.append(outline)
    return torch.stack(colors, 1), torch.stack(names, 1), torch.stack(outlines, 1)
