// Reading JPEG pictures.
#pragma once

#include "media/picture.h"

namespace layerpipe::media {

// Reads a JPEG (baseline or progressive; grey, YCbCr or RGB; any subsampling) as the picture that a person
// sees: an orientation in its EXIF data is applied, and colours with a profile are converted to sRGB
// (color_profile.h). Alpha is 255 everywhere.
//
// Where there is no profile, the pixels are those of
// ImageOps.exif_transpose(Image.open(path)).convert("RGBA") in Pillow 13, bit for bit: both leave
// libjpeg-turbo at its defaults, the slow integer DCT and smooth upsampling. Unlike Pillow, this reader does
// not pass over codes that cannot be decoded.
//
// Throws InputError that names the file when it is cut short, damaged, no JPEG, in CMYK or YCCK, of a rare
// kind (12 bits, lossless) or too large (check_declared_size).
Picture read_jpeg(const PictureFile& file);

}  // namespace layerpipe::media
