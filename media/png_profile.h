// The colour profile in a PNG's iCCP chunk. Not for other files than png_reader.cpp.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace layerpipe::media {

// Unpacks the profile in the content of an iCCP chunk; empty when it is damaged or larger than 16 MiB.
std::vector<std::byte> unpack_profile(std::span<const std::byte> chunk);

}  // namespace layerpipe::media
