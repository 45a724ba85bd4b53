"""Describes scenes in simple words."""

from __future__ import annotations

from . import palette
from .atlas import Atlas
from .parameters import PATTERNS, SceneParameters

PLACES = [["top left", "top", "top right"], ["left", "middle", "right"], ["bottom left", "bottom", "bottom right"]]
BACKGROUNDS = {
    "plain": "on a {0} background", "striped": "on a {0} background with {1} stripes", "checked": "on a {0} background with {1} checks",
    "dotted": "on a {0} background with {1} dots", "cloudy": "on a {0} background with {1} clouds",
    "sparkling": "on a {0} background with {1} lights", "hilly": "above {1} hills under a {0} sky", "grainy": "on rough {0} paper",
}
# Says nothing; stands after short descriptions so that a batch has prompts of one length.
FILLER = " The picture is made of flat layers, one above the other, with clean edges and simple colors, drawn in a modern style."


def describe(parameters: SceneParameters, atlas: Atlas, aspect: float = 1.0) -> list[str]:
    """One prompt a scene: a sentence that names all there is, then a sentence about each element."""
    e, b = parameters.elements, parameters.background
    present, shape, name = e.present.tolist(), e.shape.tolist(), e.name.tolist()
    soft, clear = (e.softness > 0).tolist(), (e.opacity < 1).tolist()
    shadow = (e.shadow[..., 3] > 0).tolist()
    centers = e.center.tolist()
    count = (e.letters >= 0).sum(1).tolist()
    prompts = []
    for i in range(len(parameters)):
        things, details = [], []
        for role in range(3):
            if not present[i][role]:
                continue
            color = palette.NAMES[name[i][role]]
            if role == 2:
                kind = e.script[i]
                what = f"{color} {kind} letters" if kind in atlas.scripts else f"{count[i]} small {color} {kind}s"
            else:
                kind = atlas.shape_names[shape[i][role]]
                words = ["a", "large" if role == 0 else "", "soft" if soft[i][role] else "",
                         "clear" if clear[i][role] else "", color, kind]
                what = " ".join(word for word in words if word)
            things.append(what)
            subject = "letters are" if role == 2 and kind in atlas.scripts else f"{kind}s are" if role == 2 else f"{kind} is"
            verb = "cast" if role == 2 else "casts"
            details.append(f" The {subject} at the {_place(*centers[i][role], aspect)}"
                           + (f" and {verb} a shadow." if shadow[i][role] else "."))
        background = BACKGROUNDS[PATTERNS[b.pattern[i]]].format(*(palette.NAMES[k] for k in b.names[i].tolist()))
        listed = things[0] if len(things) == 1 else ", ".join(things[:-1]) + " and " + things[-1]
        sentence = f"{listed} {background}."
        prompts.append(sentence[0].upper() + sentence[1:] + "".join(details))
    return prompts


def _place(x: float, y: float, aspect: float) -> str:
    half_width, half_height = max(aspect, 1.0), max(1 / aspect, 1.0)
    column = 1 + (x > half_width / 3) - (x < -half_width / 3)
    row = 1 + (y > half_height / 3) - (y < -half_height / 3)
    return PLACES[row][column]


def all_words(atlas: Atlas) -> list[str]:
    """Every word a prompt is made of; the tokenizer learns them."""
    sentences = [
        " ".join(palette.NAMES), " ".join(atlas.shape_names), " ".join(BACKGROUNDS.values()), FILLER,
        " ".join(place for row in PLACES for place in row), " ".join(f"{small} {small}s" for small in atlas.small),
        " ".join(atlas.scripts), "a large small soft clear letters and cast casts shadow The the is are at with",
        "A a poster picture image photo sign of text title logo icon layers",
    ]
    for symbol in "{}0123456789.,":
        sentences = [sentence.replace(symbol, " ") for sentence in sentences]
    return sorted({word for sentence in sentences for word in sentence.split()})
