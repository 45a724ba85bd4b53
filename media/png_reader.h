// Reading PNG pictures.
#pragma once

#include <filesystem>

#include "common/size.h"
#include "media/picture.h"

namespace layerpipe::media {

// Reads any PNG (grey, grey with alpha, palette, RGB, RGBA; 1 to 16 bits; tRNS; interlaced) as the picture
// that a person sees: an orientation in eXIf is applied, and colours with a profile (iCCP) are converted to
// sRGB (color_profile.h). Gamma is ignored. Of an animation, the picture that a reader without animations
// shows, which is its first frame or one for such readers alone; a remark says so.
//
// Where there is no profile, the pixels are those of
// ImageOps.exif_transpose(Image.open(path)).convert("RGBA") in Pillow 13, bit for bit, but for two things in
// which Pillow loses the picture (docs/pictures.md): 16-bit grey keeps its high byte, where Pillow clips at
// 255, and a transparent colour (tRNS) in 2, 4 or 16 bits is compared as PNG says.
//
// Throws InputError that names the file when it is cut short, damaged, no PNG or too large
// (check_declared_size).
Picture read_png(const PictureFile& file);

// The size that a PNG's header declares, before it is turned; 0 × 0 where the header is not in its place, for
// which read_png has words. Throws InputError as read_png does for what is no PNG, ends before that, or is
// too large.
common::Size declared_png_size(const PictureFile& file);

// The same as read_png() for a file that must be a PNG, such as a layer that layerpipe wrote; remarks are
// dropped. What a user gives is read by read_picture. Also throws InputError when the file is missing or may
// not be read.
Image read_png(const std::filesystem::path& path);

}  // namespace layerpipe::media
