#!/usr/bin/env python3
"""Makes model/tokenizer/unicode_tables.h: where the Unicode versions of our libraries and of the reference tokenizer part ways.

Hugging Face tokenizers split with the letters and numbers of one Unicode version and compose with the data of a much
older one; PCRE2 and utf8proc have a version each. The script asks the installed packages about every code point:

    pip install tokenizers==0.23.3
    python3.11 tools/make_unicode_tables.py > model/tokenizer/unicode_tables.h

Python 3.11 stands for PCRE2 10.42 (both Unicode 14); utf8proc is asked through its shared library (2.8: Unicode 15).
"""
import ctypes
import ctypes.util
import sys
import unicodedata

import needs

needs.packages("tokenizers")

from tokenizers import Regex, normalizers, pre_tokenizers  # noqa: E402

CODE_POINTS = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
UTF8PROC_COMPOSE_FLAGS = 1 << 1 | 1 << 3  # stable, compose
UTF8PROC_DECOMPOSE_FLAGS = 1 << 1 | 1 << 4  # stable, decompose


def reference_class(pattern):
    """The code points that one match of `pattern` covers in the reference."""
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed")
    found = set()
    for first in range(0, len(CODE_POINTS), 4096):
        part = CODE_POINTS[first:first + 4096]
        kept = {ord(char) for piece, _ in split.pre_tokenize_str("".join(map(chr, part))) for char in piece}
        found.update(code for code in part if code not in kept)
    return found


def newer_members(category):
    return {code for code in reference_class(rf"\p{{{category}}}")
            if not unicodedata.category(chr(code)).startswith(category)}


class Utf8proc:
    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("utf8proc"))
        self.library.utf8proc_map.restype = ctypes.c_ssize_t
        self.libc = ctypes.CDLL(None)
        self.libc.free.argtypes = [ctypes.c_void_p]

    def map(self, text, flags):
        data, result = text.encode(), ctypes.c_void_p()
        length = self.library.utf8proc_map(data, ctypes.c_ssize_t(len(data)), ctypes.byref(result), flags)
        text = ctypes.string_at(result, length).decode()
        self.libc.free(result)
        return text


def newer_marks():
    """Code points that utf8proc reorders, composes or decomposes and the reference leaves alone."""
    utf8proc, compose, decompose = Utf8proc(), normalizers.NFC(), normalizers.NFD()
    found = set()
    for code in CODE_POINTS:
        char = chr(code)
        # Marks of class 1 and 240 on either side: whatever has a class of its own changes its place.
        samples = [f"x{char}\u0334", f"x\u0345{char}"]
        if any(utf8proc.map(text, UTF8PROC_COMPOSE_FLAGS) != compose.normalize_str(text) for text in samples):
            found.add(code)
        parts = utf8proc.map(char, UTF8PROC_DECOMPOSE_FLAGS)
        if parts != decompose.normalize_str(char):
            found.update(map(ord, parts), [code])
    return found


def ranges(codes):
    found = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def print_table(name, comment, codes):
    print(f"\n// {comment}\ninline constexpr CodePointRange {name}[] = {{")
    line = "   "
    for first, last in ranges(codes):
        entry = f" {{0x{first:X}, 0x{last:X}}},"
        if len(line) + len(entry) > 110:
            print(line)
            line = "   "
        line += entry
    print(line + "\n};")


def main():
    if unicodedata.unidata_version != "14.0.0":
        sys.exit("make_unicode_tables.py: run it with Python 3.11, whose unicodedata is that of Unicode 14")
    print("// Where the Unicode versions of PCRE2 and utf8proc differ from those inside Hugging Face tokenizers 0.23.3.\n"
          "// Written by tools/make_unicode_tables.py; do not edit.\n#pragma once\n\n#include <cstdint>\n\n"
          "namespace layerpipe::model {\n\n"
          "struct CodePointRange {\n  std::uint32_t first;\n  std::uint32_t last;  // inclusive\n};")
    print_table("kNewerLetters", "Letters to the reference (Unicode 16), not yet assigned in Unicode 14 (PCRE2 10.42).",
                newer_members("L"))
    print_table("kNewerNumbers", "Numbers likewise.", newer_members("N"))
    print_table("kNewerMarks", "Code points that utf8proc 2.8 (Unicode 15) reorders or composes and the reference, whose "
                "data are of Unicode 9,\n// takes for unassigned.", newer_marks())
    print("\n}  // namespace layerpipe::model")


if __name__ == "__main__":
    main()
