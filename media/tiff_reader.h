// Reading TIFF pictures.
#pragma once

#include "media/picture.h"

namespace layerpipe::media {

// Reads the first page of a TIFF, or BigTIFF, as the picture that a person sees: grey, palette, RGB and
// YCbCr, of 1, 2, 4, 8 or 16 bits a sample (the high byte of 16, as Pillow takes it), in strips or tiles, its
// samples together or apart; not compressed, or by LZW, Deflate, PackBits, JPEG or a fax code. The first
// extra sample is alpha where the file says so; premultiplied colours are divided by it. The orientation in
// the file is applied, and colours with a profile are converted to sRGB (color_profile.h). When there are
// more pages, which are no smaller copies of the first, a remark says so; they are not read.
//
// Where there is no profile, the pixels are those of
// ImageOps.exif_transpose(Image.open(path)).convert("RGBA") in Pillow 13, bit for bit, for what both read,
// but for 16-bit grey: its high byte is kept, where Pillow clips at 255.
//
// Throws InputError that names the file when it is cut short, damaged, no TIFF, of a kind that is not read
// (CMYK, Lab, floating point, rare compressions) or too large (check_declared_size); and always in a build
// without libtiff, for which tiff_reader_absent.cpp stands.
Picture read_tiff(const PictureFile& file);

}  // namespace layerpipe::media
