// The colour profile (ICC) that a picture carries, and bringing its colours to sRGB. Common to every file
// format that carries one.
#pragma once

#include <cstddef>
#include <span>

#include "media/picture.h"

namespace layerpipe::media {

// Larger profiles are ignored. Those of cameras and screens have a few KiB, tables for a press a few MiB.
inline constexpr std::size_t kMaxProfileBytes = std::size_t{16} << 20;
inline constexpr const char* kProfileTooLarge =
    "its colour profile was ignored: it has more than 16 MiB";  // a remark

// What the stored pixels were, before they became RGBA.
enum class ColorModel { kGrey, kRgb };

// Converts the pixels of `picture`, whose colours are meant as `profile` says, to sRGB; alpha stays. A remark
// is added when colours changed or when the profile was ignored, with the reason. Nothing happens when the
// profile is one of sRGB, by its name or by what it does to colours: not a bit changes then.
//
// An RGB profile serves for grey pictures too. Ignored are a grey one on an RGB picture, one of another model
// (CMYK, Lab), one that is too large, and a damaged one; empty counts as damaged.
//
// In a build without Little CMS, for which color_profile_ignored.cpp stands, every profile is ignored.
void convert_to_srgb(Picture& picture, std::span<const std::byte> profile, ColorModel stored);

}  // namespace layerpipe::media
