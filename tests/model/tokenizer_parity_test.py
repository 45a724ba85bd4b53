#!/usr/bin/env python3
"""Compares the tokenizer with Hugging Face on the full vocabulary, in both forms of the files.

    tokenizer_parity_test.py TOKENIZE_LINES

TOKENIZE_LINES is the program that tests/model/tokenize_lines.cpp makes. Exit code 77 means skipped.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import needs  # noqa: E402

try:
    import dashscope  # noqa: F401, the vocabulary is one of its files
    from tokenizers import Regex, pre_tokenizers
    from transformers import AutoTokenizer, Qwen2Tokenizer
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(77)
from make_tokenizer import PATTERN, make_tokenizer  # noqa: E402
from make_tokenizer_fixture import CHOSEN_TEXTS, make_fixture, random_texts  # noqa: E402

SEED = 20250
RANDOM_TEXTS = 10_000
RANDOM_ID_LISTS = 3_000


def answers(program, folder, operation, inputs):
    lines = "".join(json.dumps(value) + "\n" for value in inputs)
    done = subprocess.run([program, str(folder), operation], input=lines, capture_output=True, text=True, check=True)
    # Not splitlines: it also splits at U+2028 and its like, which stand unescaped in JSON texts.
    return [json.loads(line) for line in done.stdout.removesuffix("\n").split("\n")]


def compare(what, inputs, expected, got):
    wrong = [place for place in range(len(inputs)) if expected[place] != got[place]]
    print(f"{what}: {len(inputs) - len(wrong)} of {len(inputs)} equal")
    for place in wrong[:5]:
        print(f"  {inputs[place]!r}\n    expected {expected[place]}\n    got      {got[place]}")
    return not wrong and len(inputs) == len(got)


def random_id_lists(count, seed, vocab_size):
    generator = random.Random(seed)
    return [[generator.randrange(vocab_size + 300 if generator.random() < 0.1 else vocab_size)
             for _ in range(generator.randint(0, 12))] for _ in range(count)]


def code_point_texts():
    """Every code point between neighbours of the other classes, so that its class decides where pieces end."""
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    return ["".join(f"a{chr(code)}b {chr(code)}1 '{chr(code)}x\n" for code in codes[first:first + 512])
            for first in range(0, len(codes), 512)]


def check_classes(program, folder, tokenizer):
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    normalizer = tokenizer.backend_tokenizer.normalizer
    texts = code_point_texts()
    expected = [[piece for piece, _ in split.pre_tokenize_str(normalizer.normalize_str(text))] for text in texts]
    return compare("pieces around every code point", texts, expected, answers(program, folder, "pieces", texts))


def check_fixture(scratch):
    """The committed fixture is what its script makes."""
    committed = pathlib.Path(__file__).resolve().parents[1] / "data" / "tokenizer"
    made = pathlib.Path(scratch) / "fixture"
    make_fixture(made)
    names = sorted(str(path.relative_to(made)) for path in made.rglob("*.*"))
    return compare("files of the fixture", names, [(committed / name).read_bytes() for name in names],
                   [(made / name).read_bytes() for name in names])


def check_older_flags(program, folder):
    """Without added_tokens_decoder the older files say which tokens are special."""
    config_file = folder / "tokenizer_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    del config["added_tokens_decoder"]
    config_file.write_text(json.dumps(config), encoding="utf-8")
    tokenizer = Qwen2Tokenizer.from_pretrained(folder)
    texts = ["cafe\u0301<tool_call>\u0338<|im_start|>\u0301 x</tool_call>", *random_texts(500, SEED + 1)]
    ids = [tokenizer(text).input_ids for text in texts]
    texts_of_ids = [[tokenizer.decode(row), tokenizer.decode(row, skip_special_tokens=True)] for row in ids]
    what = f"{folder.name} without added_tokens_decoder"
    return (compare(f"{what}: ids", texts, ids, answers(program, folder, "ids", texts))
            & compare(f"{what}: decoded", ids, texts_of_ids, answers(program, folder, "decode", ids)))


def main():
    program = needs.one_program(__doc__)
    texts = CHOSEN_TEXTS + random_texts(RANDOM_TEXTS, SEED)
    with tempfile.TemporaryDirectory() as scratch:
        good = check_fixture(scratch)
        for file_format in ("vocab-merges", "tokenizer-json"):
            folder = pathlib.Path(scratch) / file_format
            vocab_size = make_tokenizer(folder, file_format=file_format)
            ids = answers(program, folder, "ids", texts)
            for loader in (Qwen2Tokenizer, AutoTokenizer):
                tokenizer = loader.from_pretrained(folder)
                good &= compare(f"{file_format}, {loader.__name__}: ids", texts,
                                [tokenizer(text).input_ids for text in texts], ids)
            lists = random_id_lists(RANDOM_ID_LISTS, SEED, vocab_size)
            expected = [[tokenizer.decode(row), tokenizer.decode(row, skip_special_tokens=True)] for row in lists]
            good &= compare(f"{file_format}: decoded", lists, expected, answers(program, folder, "decode", lists))
            if file_format == "vocab-merges":
                good &= check_classes(program, folder, tokenizer)
            good &= check_older_flags(program, folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
