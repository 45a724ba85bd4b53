// Reading HEIC pictures, which phones take.
#pragma once

#include "media/picture.h"

namespace layerpipe::media {

// Reads the main picture of a HEIC (HEIF with HEVC) as a person sees it: its rotation, mirroring and cut
// (irot, imir, clap) are applied, which decide alone (the orientation in EXIF data says the same once more,
// and is not looked at), and colours with an ICC profile are converted to sRGB (color_profile.h). 10 and 12
// bits are cut to
// 8. The matrix and the range that the file names (nclx) make RGB of what it stores; its primaries are taken
// for those of sRGB, as pillow-heif does it. When the file holds several pictures, a remark says so.
//
// The pixels are those of pillow-heif (docs/pictures.md says how closely).
//
// Throws InputError that names the file when it is cut short, damaged, no HEIC or too large
// (check_declared_size), when libheif has no decoder for HEVC; and always in a build without libheif, for
// which heic_reader_absent.cpp stands.
Picture read_heic(const PictureFile& file);

}  // namespace layerpipe::media
