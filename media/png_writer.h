// Writing PNG pictures.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "media/encoding.h"
#include "media/image.h"

namespace layerpipe::media {

// Keyword and text, both without NUL. A keyword has 1 to 79 printable ASCII characters; a text is UTF-8.
using PngTexts = std::vector<std::pair<std::string, std::string>>;

// The PNG of `image` as RGBA of 8 bits, with each text as tEXt, or as iTXt when it is not pure ASCII. The
// same image and texts give the same bytes (with the same versions of libpng and zlib): nothing of time,
// place or the number of threads goes into them. Throws InternalError when the image is not valid or a
// keyword not allowed, OutputError when libpng gives up, and what `work.moved` throws.
std::vector<std::byte> encode_png(const Image& image, const PngTexts& texts = {},
                                  const EncodingWork& work = {});

// Writes what encode_png gives.
//
// The file appears under its name when it is complete. Throws OutputError when it cannot be written,
// InternalError when the image is not valid or a keyword not allowed, and what `work.moved` throws.
void write_png(const std::filesystem::path& path, const Image& image, const PngTexts& texts = {},
               const EncodingWork& work = {});

}  // namespace layerpipe::media
