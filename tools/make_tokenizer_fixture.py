#!/usr/bin/env python3
"""Makes tests/data/tokenizer: a small tokenizer and texts with the ids that Hugging Face gives them.

    pip install transformers==5.23.0 tokenizers==0.23.3 dashscope
    python3 tools/make_tokenizer_fixture.py --out tests/data/tokenizer

The folder gets tokenizer.json and, beside it, the older files in older/; corpus.json is a list of
{"text", "ids", "kept", "skipped"}, where the last two are the decoded ids with special tokens kept and skipped.
"""
import argparse
import json
import pathlib
import random
import unicodedata

from make_tokenizer import PLAIN_ADDED_TOKENS, SPECIAL_TOKENS, make_tokenizer

VOCAB_SIZE = 3000
RANDOM_TEXTS = 400

CHOSEN_TEXTS = [
    "", " ", "  ", "\n", "\nA cat", "a\n\nb", "a \n b", "tab\tand\r\nreturn\r", "trailing   ", "   leading",
    "\u3000wide\u00a0space", "\u180eMongolian vowel separator is no space", "a\u0085\u0085b",
    "\u2028line\u2028\u2028x", "zero\u200bwidth", "nul\0inside", "\x01\x02\x1b[31mred\x1b[0m",
    "A photo of a cat sitting on a red chair, 4k, highly detailed.",
    "it's IT'S we'Re they'VE I'm you'LL he'd o'clock 'tis", "it'\u017fa 'St 'T x'REy", "naïve café",
    "nai\u0308ve cafe\u0301", "Å Å A\u030a", "ﬁne ½ ² ① Ⅷ", "x\u0323\u0301 x\u0301\u0323",
    "각 \u1100\u1161\u11a8 가\u11a7 \u1100\u1161\u11a7", "12345 3.14 1,000 ٣٤ १२",
    "def f(x):\n\treturn x ** 2  # ok\n", "if (a<b && c>d) { i++; }", "https://example.org/a?b=c&d=%20",
    "你好，世界！这是一只猫。", "日本語のテキスト、カタカナ。", "한국어 문장입니다.", "Привет, мир", "שלום עולם", "مرحبا بالعالم",
    "नमस्ते दुनिया", "สวัสดีชาวโลก", "\U00031350\U000323AF CJK extension H", "👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇷 ☃︎",
    "e\u0301\u0301\u0301", "\u07fd\u0334 newer mark first", "\u0334\u07fd and last",
    "\U00011935\U00011930 newer composition", "\u0301starts with a mark", "<tool_call>\u0338",
    "a<|im_start|>\u0301b",
    "<|im_start|>system\nDescribe the image.<|im_end|>\n<|im_start|>user\n\nA cat<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|><|im_start|> <|im_end|>x<|endoftext|>", "<|im_start", "<|im_start|", "<|IM_START|>",
    "<|vision_start|><|image_pad|><|vision_end|>", "<tool_call>{\"a\": 1}</tool_call>", "<<|fim_prefix|>>",
    "<|<|im_end|>|>", "\ufeffbyte order mark", "\ufffd\uffff\U0010ffff", "a" * 300, " " * 100 + "x",
    "\n" * 50, "!?" * 80, "ab" * 200,
]


def random_piece(generator):
    """A few characters that meet in real texts, or that rules of the tokenizer tell apart."""
    def any_of(first, last):
        return chr(generator.randint(first, last))

    kind = generator.randrange(16)
    if kind < 3:
        return "".join(generator.choice("etaoinshrdlcumwfgypbvkETAOINSRL") for _ in range(generator.randint(1, 8)))
    if kind == 3:
        return generator.choice([" ", "  ", "\n", "\r\n", "\t", "\u3000", "\u00a0", "\u0085", "\u2028", "\u180e", " \n ",
                                 "   "])
    if kind == 4:
        return str(generator.randint(0, 99999))
    if kind == 5:
        return generator.choice(["'s", "'S", "'\u017f", "'t", "'RE", "'ve", "'m", "'LL", "'d", "'", "\u2019s"])
    if kind == 6:
        return "".join(any_of(0x300, 0x36F) for _ in range(generator.randint(1, 3)))
    if kind == 7:
        return generator.choice("aeiouAOUncsz") + any_of(0x300, 0x345)
    if kind == 8:
        return any_of(0x1100, 0x1112) + any_of(0x1161, 0x1175) + generator.choice(["", any_of(0x11A7, 0x11C2)])
    if kind == 9:
        return "".join(any_of(0x4E00, 0x9FFF) for _ in range(generator.randint(1, 4)))
    if kind == 10:
        return generator.choice(["👍🏽", "👩‍💻", "🏳️‍🌈", "🇩🇪", "❤️", "\u200d", "\ufe0f"]) + any_of(0x1F300, 0x1F6FF)
    if kind == 11:
        return generator.choice(SPECIAL_TOKENS + PLAIN_ADDED_TOKENS + ["<|", "|>", "<|im_", "<tool"])
    if kind == 12:
        return "".join(generator.choice("!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~") for _ in range(generator.randint(1, 5)))
    if kind == 13:
        return any_of(0, 0x2FFF)
    if kind == 14:
        return generator.choice([any_of(0x900, 0xDFF), any_of(0xAC00, 0xD7A3), any_of(0xF900, 0xFB06),
                                 any_of(0x0, 0x1F)])
    code = generator.randrange(0x110000 - 0x800)
    return chr(code if code < 0xD800 else code + 0x800)


def random_texts(count, seed):
    generator = random.Random(seed)
    texts = []
    for _ in range(count):
        text = "".join(random_piece(generator) for _ in range(generator.randint(1, 12)))
        if generator.random() < 0.3:
            text = unicodedata.normalize(generator.choice(["NFC", "NFD"]), text)
        texts.append(text)
    return texts


def make_fixture(out):
    from transformers import AutoTokenizer  # slow to import, and not needed for the texts

    out = pathlib.Path(out)
    make_tokenizer(out, VOCAB_SIZE, "tokenizer-json")
    make_tokenizer(out / "older", VOCAB_SIZE, "vocab-merges")
    tokenizer = AutoTokenizer.from_pretrained(out)
    lines = []
    for text in CHOSEN_TEXTS + random_texts(RANDOM_TEXTS, seed=777):
        ids = tokenizer(text).input_ids
        entry = {"text": text, "ids": ids, "kept": tokenizer.decode(ids),
                 "skipped": tokenizer.decode(ids, skip_special_tokens=True)}
        lines.append(json.dumps(entry, ensure_ascii=True))
    (out / "corpus.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="DIR")
    make_fixture(parser.parse_args().out)


if __name__ == "__main__":
    main()
