// In place of heic_reader.cpp in a build without libheif.
#include "media/heic_reader.h"
#include "media/picture_errors.h"

namespace layerpipe::media {

Picture read_heic(const PictureFile& file) {
  throw not_built(file, "a HEIC picture", "libheif", "libheif-dev");
}

}  // namespace layerpipe::media
