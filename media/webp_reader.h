// Reading WebP pictures.
#pragma once

#include "media/picture.h"

namespace layerpipe::media {

// Reads a WebP (lossy or lossless, with alpha or without) as the picture that a person sees: an orientation
// in its EXIF data is applied, and colours with a profile are converted to sRGB (color_profile.h). Of an
// animation the first frame is read, on a transparent canvas, and a remark says so.
//
// Where there is no profile, the pixels are those of
// ImageOps.exif_transpose(Image.open(path)).convert("RGBA") in Pillow 13, bit for bit.
//
// Throws InputError that names the file when it is cut short, damaged, no WebP or too large
// (check_declared_size); and always in a build without libwebp, for which webp_reader_absent.cpp stands.
Picture read_webp(const PictureFile& file);

}  // namespace layerpipe::media
