// The boxes of the ISO base media file format, which HEIC and AVIF are made of. Not for other files than
// heic_reader.cpp and avif_reader.cpp.
#pragma once

#include <string_view>

#include "media/picture.h"

namespace layerpipe::media {

// Throws InputError, as cut_short says it, unless the outermost boxes lie within the file: libraries tell of
// a file that was cut in many ways. `format` is "HEIC" or "AVIF".
void check_boxes_are_whole(const PictureFile& file, std::string_view format);

}  // namespace layerpipe::media
