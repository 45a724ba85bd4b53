"""The demo model's text encoder: a tiny Qwen2.5-VL with random weights that are never trained.

Random features of the words are enough: the transformer learns what they mean. What it cannot do is write captions.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from parity.models import randomise, text_config
from parity.specs import Case, Text

from .prompts import FILLER
from .settings import Sizes
from .tokenizer import CLOSING_TOKENS, TEMPLATE, TEMPLATE_TOKENS

NO_PROMPT = " "  # the program's default negative prompt


def text_case(sizes: Sizes) -> Case:
    """The text encoder as tools/parity describes its models."""
    hidden = sizes.text_hidden
    return Case("demo", text=Text(hidden=hidden, intermediate=2 * hidden, layers=sizes.text_layers, heads=4, kv_heads=2), weights="bf16")


def make_text_encoder(tokenizer_folder: Path, sizes: Sizes) -> Qwen2_5_VLForConditionalGeneration:
    """In fp32, with weights that bf16 can hold."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    model = Qwen2_5_VLForConditionalGeneration(text_config(text_case(sizes).text, tokenizer)).float()
    randomise(model, "demo/text_encoder")
    with torch.no_grad():  # the parameters alone: rounded rotary frequencies would be others than the pipeline's
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())
    return model.eval().requires_grad_(False)


class PromptEncoder:
    """Embeds prompts as the pipeline does: the template with the prompt in it, less the first 34 tokens."""

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration, tokenizer_folder: Path, device: torch.device):
        self._model = model.to(device)
        self._device = device
        self._tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
        before, after = TEMPLATE.split("{}")
        self._before, self._filler, self._after = self._ids([before, FILLER, after])
        assert len(self._before) == TEMPLATE_TOKENS and len(self._after) == CLOSING_TOKENS
        self.no_prompt = self.embed([NO_PROMPT])  # [1, 6, hidden]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return self._tokenizer(texts).input_ids

    def embed(self, prompts: list[str], tokens: int | None = None) -> torch.Tensor:
        """[prompts, tokens, hidden] fp32. With `tokens`, prompts are filled up and cut to that many; without, all must
        have the same number."""
        written = self._ids(prompts)
        if tokens is not None:
            written = [self._cut(ids, tokens - CLOSING_TOKENS) for ids in written]
        rows = [self._before + ids + self._after for ids in written]
        return self._run(torch.tensor(rows, device=self._device))[:, TEMPLATE_TOKENS:]

    def _cut(self, ids: list[int], tokens: int) -> list[int]:
        while len(ids) < tokens:
            ids = ids + self._filler
        return ids[:tokens]

    @torch.no_grad()
    def _run(self, ids: torch.Tensor) -> torch.Tensor:
        return self._model(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True).hidden_states[-1]
