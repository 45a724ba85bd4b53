// Reading a picture that a user gives, whatever kind of file it is.
#pragma once

#include <filesystem>

#include "media/picture.h"

namespace layerpipe::media {

// Reads a PNG, JPEG or WebP; the first bytes tell which, not the name. The result is the picture that a
// person sees, as RGBA of 8 bits: turned as its EXIF data say, its colours those of sRGB (docs/pictures.md).
//
// Throws InputError that names the file when it is missing, empty, of another kind, cut short, damaged or
// larger than kMaxSide or max_pixels.
Picture read_picture(const std::filesystem::path& path);
Picture read_picture(const PictureFile& file);

}  // namespace layerpipe::media
