// This file takes the place of webp_reader.cpp in a build without libwebp.
#include "common/errors.h"
#include "media/picture_errors.h"
#include "media/webp_reader.h"

namespace layerpipe::media {

Picture read_webp(const PictureFile& file) {
  throw common::InputError(file.name + " is a WebP picture; this build of layerpipe reads no WebP",
                           kSaveAsPng);
}

}  // namespace layerpipe::media
