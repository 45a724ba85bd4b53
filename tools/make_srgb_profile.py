#!/usr/bin/env python3
"""Makes media/srgb_profile.h: a small colour profile of sRGB, for documents to carry.

    python3 tools/make_srgb_profile.py > media/srgb_profile.h

tests/media/psd_parity.py compares what documents carry with what this script makes.
"""

import struct

import needs

needs.packages("numpy")

import minimal_icc as icc  # noqa: E402

# From the white of sRGB, D65, to that of profiles, D50 (Bradford). ICC.1:2022, annex E, asks displays for it.
BRADFORD = [1.04788, 0.02292, -0.05022, 0.02959, 0.99048, -0.01707, -0.00925, 0.01508, 0.75168]
BYTES_PER_LINE = 17  # as clang-format has them


def srgb_profile():
    """The profile's bytes: matrix and parametric curve, as IEC 61966-2-1 has them."""
    columns = {tag: icc.xyz(icc.SRGB_PRIMARIES[:, i]) for i, tag in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tones = {tag: icc.srgb_parameters() for tag in (b"rTRC", b"gTRC", b"bTRC")}
    adaptation = {b"chad": b"sf32\0\0\0\0" + icc.fixed(BRADFORD)}
    return icc.profile(b"RGB ", "sRGB", {**adaptation, **columns, **tones})


def main():
    content = srgb_profile()
    assert struct.unpack(">I", content[:4])[0] == len(content)
    print("// A colour profile (ICC 4.3) of sRGB, for documents to carry.\n"
          "// Written by tools/make_srgb_profile.py; do not edit.\n#pragma once\n\n#include <array>\n#include <cstdint>\n\n"
          "namespace layerpipe::media {\n\n"
          f"inline constexpr std::array<std::uint8_t, {len(content)}> kSrgbProfile = {{")
    for start in range(0, len(content), BYTES_PER_LINE):
        print("    " + " ".join(f"0x{byte:02x}," for byte in content[start:start + BYTES_PER_LINE]))
    print("};\n\n}  // namespace layerpipe::media")


if __name__ == "__main__":
    main()
