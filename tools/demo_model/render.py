"""Renders scenes in batches on any device.

Coordinates: x to the right, y down, 0 in the middle of the picture, 1 at half its shorter side. Layers are made with
colours multiplied by alpha, in which "over" is a sum, and handed out with straight colours (black where alpha is 0).
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F

from .atlas import GLYPH_ADVANCE, GLYPH_SCALE, GLYPH_SIDE, SHAPE_REACH, Atlas
from .parameters import LETTERS, PATTERNS, ROLES, Background, Elements, SceneParameters
from .strokes import ROWS

HALF_LETTER = ROWS / 2 * GLYPH_SCALE  # samples of the glyphs' table


def render(parameters: SceneParameters, atlas: Atlas, layers: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Layers [n, layers, 4, height, width] and composites [n, 4, height, width]: straight colours, 0 … 1, in steps of 1/255."""
    device = atlas.shapes.device
    background = _moved(parameters.background, device)
    elements = _moved(parameters.elements, device)
    x, y = _coordinates(height, width, device)
    back = _render_background(background, x, y)  # [n, 3, height, width]
    parts = torch.stack([_render_element(elements, atlas, role, x, y) for role in range(ROLES)], 1)  # [n, 3, 4, …]
    parts = _to_the_front(parts, elements.present)
    opaque = torch.cat([back, torch.ones_like(back[:, :1])], 1)
    if layers == 1:
        made = [_over(opaque, parts)]
    elif layers <= ROLES:
        made = [opaque, *parts[:, : layers - 2].unbind(1), _over(parts[:, layers - 2], parts[:, layers - 1:])]
    else:
        made = [opaque, *parts.unbind(1)]
        made += [torch.zeros_like(opaque)] * (layers - len(made))
    return _straight(torch.stack(made, 1)), _straight(_over(opaque, parts)[:, None])[:, 0]


def over(layers: torch.Tensor) -> torch.Tensor:
    """Composite [n, 4, h, w] of straight layers [n, layers, 4, h, w], 0 … 1, layer 0 at the back."""
    multiplied = torch.cat([layers[:, :, :3] * layers[:, :, 3:], layers[:, :, 3:]], 2)
    return _straight(_over(multiplied[:, 0], multiplied[:, 1:])[:, None])[:, 0]


def _over(below: torch.Tensor, above: torch.Tensor) -> torch.Tensor:
    """`above` [n, k, 4, h, w] laid over `below` [n, 4, h, w], all multiplied."""
    for layer in above.unbind(1):
        below = layer + below * (1 - layer[:, 3:])
    return below


def _straight(multiplied: torch.Tensor) -> torch.Tensor:
    """[n, k, 4, h, w] multiplied -> straight, in steps of 1/255."""
    color, alpha = multiplied.split([3, 1], 2)
    alpha = torch.round(alpha.clamp(0, 1) * 255) / 255
    color = torch.where(alpha > 0, color / multiplied[:, :, 3:].clamp(min=1e-4), 0)
    return torch.cat([torch.round(color.clamp(0, 1) * 255) / 255, alpha], 2)


def _to_the_front(parts: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Elements that are present first, in their order; then empty ones."""
    order = torch.argsort((~present).to(torch.uint8), dim=1, stable=True)
    rows = torch.arange(len(present), device=present.device)[:, None]
    kept = parts[rows, order]
    return kept * present[rows, order][:, :, None, None, None]


def _moved(record, device: torch.device):
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    return type(record)(**{k: v.to(device, non_blocking=True) if isinstance(v, torch.Tensor) else v for k, v in fields.items()})


def _coordinates(height: int, width: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    half = min(height, width) / 2
    y = (torch.arange(height, device=device) + 0.5 - height / 2) / half
    x = (torch.arange(width, device=device) + 0.5 - width / 2) / half
    return x[None, None, :].expand(1, height, width), y[None, :, None].expand(1, height, width)


def _at(values: torch.Tensor) -> torch.Tensor:
    """One value a scene, for all pixels."""
    return values[:, None, None]


# --- backgrounds

def _render_background(b: Background, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    height, width = x.shape[1:]
    linear = 0.5 + 0.36 * (x * _at(b.angle.cos()) + y * _at(b.angle.sin()))
    round_ = (x.square() + y.square()).sqrt() / 1.5
    share = torch.lerp(linear, round_, _at(b.radial)).clamp(0, 1)[:, None]
    color = torch.lerp(b.colors[:, 0, :, None, None], b.colors[:, 1, :, None, None], share)
    coarse = F.interpolate(b.noise, (height, width), mode="bicubic", align_corners=False)
    pixel = 2 / min(height, width)

    turned = x * _at(b.turn.cos()) + y * _at(b.turn.sin())
    across = y * _at(b.turn.cos()) - x * _at(b.turn.sin())
    wave = 2 * math.pi / _at(b.period)
    sharp = _at(b.period) / pixel / 3  # edges are about a pixel and a half wide
    stripes = (sharp * torch.sin(turned * wave)).clamp(-1, 1)
    checks = (sharp * torch.sin(turned * wave / 2) * torch.sin(across * wave / 2) * 2).clamp(-1, 1)
    in_cell = [((v / _at(b.period) % 1) - 0.5) * _at(b.period) for v in (turned, across)]
    from_dot = (in_cell[0].square() + in_cell[1].square()).sqrt() - 0.28 * _at(b.period)
    dots = (-from_dot / pixel).clamp(-1, 1)
    sparkles = torch.zeros_like(stripes)
    for disc in b.discs.unbind(1):
        gap = _at(disc[:, 2]) - ((x - _at(disc[:, 0])).square() + (y - _at(disc[:, 1])).square()).sqrt()
        rim = disc[:, 2].clamp(pixel, 0.08)
        sparkles = sparkles + _at(disc[:, 3]) * (0.5 + gap / _at(rim)).clamp(0, 1)
    patterns = {"striped": 0.5 + 0.5 * stripes, "checked": 0.5 + 0.5 * checks, "dotted": 0.5 + 0.5 * dots,
                "cloudy": (0.5 + 0.45 * coarse[:, 0]).clamp(0, 1), "sparkling": sparkles.clamp(0, 1)}
    mask = sum(_at((b.pattern == PATTERNS.index(name)).float()) * field for name, field in patterns.items())
    color = torch.lerp(color, b.colors[:, 2, :, None, None], mask[:, None] * b.strength[:, None, None, None])

    for ridge, hill in enumerate(b.hills.unbind(1)):
        top = _at(hill[:, 0]) + _at(hill[:, 1]) * torch.sin(2.6 * x + _at(hill[:, 2])) + _at(hill[:, 3]) * torch.sin(7 * x + _at(hill[:, 4]))
        below = (0.5 + (y - top) / pixel).clamp(0, 1) * _at(b.hilly)
        color = torch.lerp(color, b.colors[:, 2 + ridge, :, None, None], below[:, None])

    grain = _grain(b.seed, height, width) * _at((b.pattern == PATTERNS.index("grainy")).float())
    return (color + 0.006 * coarse[:, 1:] + 0.03 * grain[:, None]).clamp(0, 1)


def _grain(seed: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Noise [n, height, width] in -1 … 1, a function of the seed alone (an integer hash), smoothed over 3 x 3 pixels."""
    place = torch.arange(height * width, device=seed.device).view(1, height, width)
    bits = (place * 1664525 + _at(seed)) & 0xFFFFFFFF
    for factor in (0x45D9F3B, 0x119DE1F3):
        bits = ((bits ^ (bits >> 16)) * factor) & 0xFFFFFFFF
    noise = (bits ^ (bits >> 16)).float() / 2**31 - 1
    return F.avg_pool2d(noise[:, None], 3, 1, 1)[:, 0] * 2


# --- elements

def _render_element(e: Elements, atlas: Atlas, role: int, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """[n, 4, height, width], colours multiplied by alpha."""
    pixel = 2 / min(x.shape[1:])
    distance = _distance_of_shape(e, atlas, role) if role < 2 else _distance_of_line(e, atlas)
    inside, u, v = distance(x, y)
    edge = _at(e.softness[:, role]).clamp(min=pixel)
    alpha = _smooth(0.5 + inside / edge) * _at(e.opacity[:, role])

    shade = (0.5 + 0.4 * (u * _at(e.shade_turn[:, role].cos()) + v * _at(e.shade_turn[:, role].sin()))).clamp(0, 1)[:, None]
    color = torch.lerp(e.color[:, role, 0, :, None, None], e.color[:, role, 1, :, None, None], shade)
    if role < 2:
        color = color * (1 - 0.22 * _texture(e.texture[:, role], u, v)[:, None])
    outline = _at(e.outline[:, role])
    band = (0.5 - (inside - outline) / pixel).clamp(0, 1) * (outline > 0)
    color = torch.lerp(color, e.outline_color[:, role, :, None, None], band[:, None])

    dx, dy, blur, strength = (_at(value) for value in e.shadow[:, role].unbind(-1))
    shadow_inside, _, _ = distance(x - dx, y - dy)
    shadow = _smooth(0.5 + shadow_inside / (2 * blur)) * strength
    total = alpha + shadow * (1 - alpha)
    return torch.cat([color * alpha[:, None], total[:, None]], 1)


def _smooth(share: torch.Tensor) -> torch.Tensor:
    share = share.clamp(0, 1)
    return share * share * (3 - 2 * share)


def _texture(kind: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """0 … 1 over the element's own coordinates: nothing, stripes or dots."""
    stripes = (2.5 * torch.sin((u + v) * 9)).clamp(-1, 1) * 0.5 + 0.5
    dots = (4 * (torch.sin(u * 9) * torch.sin(v * 9) - 0.25)).clamp(0, 1)
    return stripes * _at((kind == 1).float()) + dots * _at((kind == 2).float())


def _own_coordinates(e: Elements, role: int, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates along the element's own axes, 1 at its half size."""
    dx, dy = x - _at(e.center[:, role, 0]), y - _at(e.center[:, role, 1])
    cos, sin = _at(e.turn[:, role].cos()), _at(e.turn[:, role].sin())
    stretch = e.aspect[:, role].sqrt()
    u = (dx * cos + dy * sin) / _at(e.size[:, role] * stretch)
    v = (dy * cos - dx * sin) / _at(e.size[:, role] / stretch)
    return u, v


def _sampled(table: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Distances from tables [n, rows, columns] at u, v in -1 … 1; outside, less the way to the table's border."""
    field = F.grid_sample(table[:, None], torch.stack([u, v], -1), mode="bilinear", padding_mode="border", align_corners=False)
    return field[:, 0]


def _distance_of_shape(e: Elements, atlas: Atlas, role: int):
    table = atlas.shapes[e.shape[:, role]]

    def distance(x: torch.Tensor, y: torch.Tensor):
        u, v = _own_coordinates(e, role, x, y)
        inside = _sampled(table, u / SHAPE_REACH, v / SHAPE_REACH)
        beyond = ((u.abs() - SHAPE_REACH).clamp(min=0).square() + (v.abs() - SHAPE_REACH).clamp(min=0).square()).sqrt()
        return (inside - beyond) * _at(e.size[:, role]), u, v

    return distance


def _distance_of_line(e: Elements, atlas: Atlas):
    """The letters side by side in one table; the line's middle is the element's centre."""
    columns = GLYPH_ADVANCE * (LETTERS - 1) + GLYPH_SIDE
    n = e.letters.shape[0]
    table = torch.full((n, GLYPH_SIDE, columns), -10.0, device=e.letters.device)
    for place, letter in enumerate(e.letters.unbind(1)):
        left = place * GLYPH_ADVANCE
        glyph = torch.where(_at(letter >= 0), atlas.glyphs[letter.clamp(min=0)], -10.0)
        view = table[:, :, left:left + GLYPH_SIDE]
        view.copy_(torch.maximum(view, glyph))
    table = torch.maximum(table, torch.full_like(table, -1.0))
    length = (e.letters >= 0).sum(1)
    middle = (GLYPH_ADVANCE * (length - 1) + GLYPH_SIDE) / 2  # samples from the table's left

    def distance(x: torch.Tensor, y: torch.Tensor):
        u, v = _own_coordinates(e, 2, x, y)
        across = (u * HALF_LETTER + _at(middle)) / columns * 2 - 1
        down = v * HALF_LETTER / (GLYPH_SIDE / 2)
        inside = _sampled(table, across, down)
        beyond = ((across.abs() - 1).clamp(min=0) * columns / 2 + (down.abs() - 1).clamp(min=0) * GLYPH_SIDE / 2) / HALF_LETTER
        return (inside - beyond) * _at(e.size[:, 2]), u / 3, v

    return distance
