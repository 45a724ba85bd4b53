// This file takes the place of webp_reader.cpp in a build without libwebp.
#include "media/picture_errors.h"
#include "media/webp_reader.h"

namespace layerpipe::media {

Picture read_webp(const PictureFile& file) {
  throw not_built(file, "a WebP picture", "libwebp", "libwebp-dev");
}

}  // namespace layerpipe::media
