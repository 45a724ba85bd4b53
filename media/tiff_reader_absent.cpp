// In place of tiff_reader.cpp in a build without libtiff.
#include "media/picture_errors.h"
#include "media/tiff_reader.h"

namespace layerpipe::media {

Picture read_tiff(const PictureFile& file) {
  throw not_built(file, "a TIFF picture", "libtiff", "libtiff-dev");
}

}  // namespace layerpipe::media
