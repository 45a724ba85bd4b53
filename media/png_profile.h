// The colour profile in a PNG's iCCP chunk. Only png_reader.cpp includes it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace layerpipe::media {

// Unpacks the profile in the content of an iCCP chunk: empty when it is damaged, nothing when it is larger
// than kMaxProfileBytes. Of what the chunk unpacks to, no more is unpacked than the profile says that it has.
std::optional<std::vector<std::byte>> unpack_profile(std::span<const std::byte> chunk);

}  // namespace layerpipe::media
