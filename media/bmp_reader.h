// Reading BMP pictures.
#pragma once

#include "media/picture.h"

namespace layerpipe::media {

// Reads a BMP of Windows or OS/2 as the picture that a person sees: 1, 4 and 8 bits with a palette, also
// run-length encoded, and 16, 24 and 32 bits, with any masks. Rows may run up or down. There is alpha where
// the header has a mask for it; the fourth byte of other pictures of 32 bits means nothing. Colours with a
// profile in the file (a header of version 5) are converted to sRGB (color_profile.h); BMP knows no
// orientation.
//
// Where there is no profile, the pixels are those of Image.open(path).convert("RGBA") in Pillow 13, bit for
// bit, for what Pillow reads; it knows a few masks only.
//
// Own code, since no library fits: the one that is kept, libnsbmp, is no package of Debian 12 and
// Ubuntu 24.04 (docs/pictures.md).
//
// Throws InputError that names the file when it is cut short, damaged, no BMP, holds a PNG, a JPEG or a fax,
// or is too large (check_declared_size).
Picture read_bmp(const PictureFile& file);

}  // namespace layerpipe::media
