// Reading a picture that a user gives, whatever kind of file it is.
#pragma once

#include <filesystem>

#include "media/picture.h"

namespace layerpipe::media {

// Reads a PNG, JPEG, WebP, HEIC, AVIF, TIFF, GIF or BMP; the first bytes tell which, not the name. The result
// is the picture that a person sees, as RGBA of 8 bits: turned as the file says, its colours those of sRGB
// (docs/pictures.md). Of several pictures in a file it is the first, and a remark says so.
//
// Throws InputError that names the file when it is missing, empty, of another kind, cut short, damaged or
// larger than kMaxSide or max_pixels.
Picture read_picture(const std::filesystem::path& path);
Picture read_picture(const PictureFile& file);

}  // namespace layerpipe::media
