// In place of avif_reader.cpp in a build without libavif.
#include "media/avif_reader.h"
#include "media/picture_errors.h"

namespace layerpipe::media {

Picture read_avif(const PictureFile& file) {
  throw not_built(file, "an AVIF picture", "libavif", "libavif-dev");
}

}  // namespace layerpipe::media
