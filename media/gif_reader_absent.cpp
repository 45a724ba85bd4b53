// In place of gif_reader.cpp in a build without giflib.
#include "media/gif_reader.h"
#include "media/picture_errors.h"

namespace layerpipe::media {

Picture read_gif(const PictureFile& file) {
  throw not_built(file, "a GIF picture", "giflib", "libgif-dev");
}

}  // namespace layerpipe::media
