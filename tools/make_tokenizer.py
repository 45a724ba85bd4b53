#!/usr/bin/env python3
"""Makes a Hugging Face tokenizer folder of the Qwen2.5 family.

The tokens come from the file resources/qwen.tiktoken of the PyPI package dashscope (Apache-2.0): one base64 token and
its rank a line, where the rank is both the token's id and the time at which it was learned. Hugging Face wants the pair
that was merged into each token; running byte-pair encoding on a token with the lower ranks alone gives that pair back.

    pip install dashscope
    python3 tools/make_tokenizer.py --out tokenizer
    python3 tools/make_tokenizer.py --out small --vocab-size 3000 --format tokenizer-json

With --vocab-size N only the first N ranks are kept; the added tokens then start at id N instead of 151643.
"""
import argparse
import base64
import importlib.util
import json
import pathlib
import sys

# As in Qwen2.5: those that decoding with skip_special_tokens drops, then those that it keeps.
SPECIAL_TOKENS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
]
PLAIN_ADDED_TOKENS = [
    "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
    "<|file_sep|>",
]
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_characters():
    """The printable character that stands for each byte in vocab.json: itself where it is printable and not a space in
    Latin-1, otherwise the next free one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    characters = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in characters:
            characters[byte] = chr(0x100 + len(characters) - len(printable))
    return characters


def read_ranks():
    """The tokens of the package's rank file, as a dict from bytes to rank."""
    package = importlib.util.find_spec("dashscope")  # does not import the package, which would want its dependencies
    if package is None:
        sys.exit("make_tokenizer.py: the package dashscope is missing; install it with: pip install dashscope")
    path = pathlib.Path(package.origin).parent / "resources" / "qwen.tiktoken"
    ranks = {}
    for line in path.read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    if sorted(ranks.values()) != list(range(len(ranks))):
        sys.exit(f"make_tokenizer.py: the ranks in {path} are not 0 … {len(ranks) - 1}")
    return ranks


def merged_pair(token, ranks):
    """The two parts that were merged last to make `token`."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        candidates = [ranks.get(left + right) for left, right in zip(parts, parts[1:])]
        rank, place = min((rank, place) for place, rank in enumerate(candidates) if rank is not None)
        assert rank < ranks[token], f"token {token!r} cannot be made from tokens of lower rank"
        parts[place:place + 2] = [parts[place] + parts[place + 1]]
    return parts


def vocabulary_and_merges(vocab_size):
    """(dict from token to id, list of pairs), both in the printable alphabet."""
    by_rank = sorted(read_ranks().items(), key=lambda item: item[1])
    kept = dict(by_rank[:vocab_size])
    missing = [byte for byte in range(256) if bytes([byte]) not in kept]
    if missing:
        sys.exit(f"make_tokenizer.py: --vocab-size {vocab_size} leaves out {len(missing)} of the 256 single bytes")
    characters = byte_characters()

    def printable(token):
        return "".join(characters[byte] for byte in token)

    vocabulary = {printable(token): rank for token, rank in kept.items()}
    merges = [tuple(map(printable, merged_pair(token, kept))) for token in kept if len(token) > 1]
    return vocabulary, merges


def added_tokens(first_id):
    """(id, Hugging Face description) of every added token."""
    names = [(name, True) for name in SPECIAL_TOKENS] + [(name, False) for name in PLAIN_ADDED_TOKENS]
    return [
        (first_id + place, {"content": name, "single_word": False, "lstrip": False, "rstrip": False,
                            "normalized": False, "special": special})
        for place, (name, special) in enumerate(names)
    ]


def write_json(path, value, indent=2):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")


def write_vocab_and_merges(folder, vocabulary, merges, added):
    write_json(folder / "vocab.json", vocabulary, indent=None)
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(folder / "added_tokens.json", {token["content"]: token_id for token_id, token in added})


def write_tokenizer_json(folder, vocabulary, merges, added):
    write_json(folder / "tokenizer.json", {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": token_id, **token} for token_id, token in added],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
        ]},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocabulary,
            "merges": [f"{left} {right}" for left, right in merges],
        },
    }, indent=None)


def write_config(folder, added):
    described = {key: value for key, value in added[0][1].items() if key != "special"}
    write_json(folder / "special_tokens_map.json", {
        "additional_special_tokens": SPECIAL_TOKENS[1:],
        "eos_token": {**described, "content": "<|im_end|>"},
        "pad_token": {**described, "content": "<|endoftext|>"},
    })
    write_json(folder / "tokenizer_config.json", {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {str(token_id): token for token_id, token in added},
        "additional_special_tokens": SPECIAL_TOKENS[1:],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 131072,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    })


def make_tokenizer(out, vocab_size=None, file_format="both"):
    """Writes the folder `out`; returns the number of ids."""
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = vocabulary_and_merges(vocab_size)
    added = added_tokens(len(vocabulary))
    if file_format in ("vocab-merges", "both"):
        write_vocab_and_merges(out, vocabulary, merges, added)
    if file_format in ("tokenizer-json", "both"):
        write_tokenizer_json(out, vocabulary, merges, added)
    write_config(out, added)
    return len(vocabulary) + len(added)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write, made when it is missing")
    parser.add_argument("--vocab-size", type=int, metavar="N", help="keep the first N ranks (default: all)")
    parser.add_argument("--format", choices=["vocab-merges", "tokenizer-json", "both"], default="both")
    arguments = parser.parse_args()
    count = make_tokenizer(arguments.out, arguments.vocab_size, arguments.format)
    print(f"{arguments.out}: {count} ids", file=sys.stderr)


if __name__ == "__main__":
    main()
