// Finds the chunks of a PNG that say how its picture is meant. Only png_reader.cpp includes it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace layerpipe::media {

// The contents of chunks, where they lie in the file. libpng would copy them, into as much memory as they
// declare, before it has seen that the file holds so much.
struct PngChunks {
  std::optional<std::span<const std::byte>> profile;  // the first iCCP before the pixels
  std::optional<std::span<const std::byte>> exif;     // the first eXIf
  bool is_animated = false;                           // an acTL before the pixels tells of several frames
  bool pixels_are_a_frame = false;                    // the first one: an fcTL stands before the pixels
};

// `file` begins with PNG's signature. Looks at lengths and names alone, up to IEND or where the file is cut;
// libpng checks the checksums.
PngChunks find_png_chunks(std::span<const std::byte> file);

}  // namespace layerpipe::media
