"""A byte-level tokenizer of Qwen's format whose merges are learned from the words of our own prompts.

Every word of a prompt and of the pipeline's template becomes one token, so that the template's beginning is exactly the 34
tokens that the pipeline drops; anything else falls back to smaller tokens, at last to single bytes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import make_tokenizer as qwen

from . import prompts
from .atlas import make_atlas

TEMPLATE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial relationships of the "
    "objects and background:<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
TEMPLATE_TOKENS = 34  # what the pipeline drops
CLOSING_TOKENS = 5  # of the template after the prompt
TEMPLATE_WORDS = (
    "system user assistant Describe the image by detailing color shape size texture quantity text spatial relationships of objects and "
    "background"
)


def write_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = learn()
    added = qwen.added_tokens(len(vocabulary))
    qwen.write_vocab_and_merges(folder, vocabulary, merges, added)
    qwen.write_config(folder, added)


def learn() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """(token to id, merges in the order in which they apply), both in the printable alphabet."""
    characters = qwen.byte_characters()
    words = sorted(set(prompts.all_words(make_atlas())) | set(TEMPLATE_WORDS.split()))
    pieces = [tuple(characters[byte] for byte in text.encode()) for word in words for text in (word, " " + word)]
    vocabulary = {characters[byte]: byte for byte in range(256)}
    merges = []
    while True:
        pairs = Counter(pair for piece in pieces for pair in zip(piece, piece[1:]))
        if not pairs:
            return vocabulary, merges
        pair = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(pair)
        # Two ways may lead to one token; it keeps the id of the first.
        vocabulary.setdefault("".join(pair), len(vocabulary))
        pieces = [_merged(piece, pair) for piece in pieces]


def _merged(piece: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out = []
    for part in piece:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return tuple(out)
