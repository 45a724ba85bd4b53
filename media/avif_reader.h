// Reading AVIF pictures.
#pragma once

#include "media/picture.h"

namespace layerpipe::media {

// Reads an AVIF as the picture that a person sees: its rotation and mirroring (irot, imir) are applied, which
// decide alone (the orientation in EXIF data is not looked at, as the format demands), and colours with an
// ICC profile are converted to sRGB (color_profile.h). 10 and 12 bits are rounded to 8. The matrix and the
// range that the file names (nclx) make RGB of what it stores; its primaries are taken for those of sRGB, as
// Pillow does it. Of an animation the first frame is read, and a remark says so.
//
// The pixels are those of ImageOps.exif_transpose(Image.open(path)).convert("RGBA") in Pillow 13
// (docs/pictures.md says how closely).
//
// Throws InputError that names the file when it is cut short, damaged, no AVIF or too large
// (check_declared_size); and always in a build without libavif, for which avif_reader_absent.cpp stands.
Picture read_avif(const PictureFile& file);

}  // namespace layerpipe::media
