// What a PSD file shows to programs that do not read its layers.
#pragma once

#include <cstdint>
#include <vector>

#include "media/image.h"

namespace layerpipe::media {

// Lays the colours of `image` on white and keeps its alpha: with alpha a of 0 … 255, c becomes
// (a c + 255 (255 - a)) / 255, rounded. That is how Photoshop stores the merged picture beside its
// transparency, and what psd-tools, ImageMagick and GIMP undo: c = (c' - (255 - a)) 255 / a.
void lay_on_white(Image& image);

// A small picture and its size in pixels.
struct Thumbnail {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> jpeg;
};

// `image`, straight alpha, on white, as an RGB JPEG whose longer side has at most 160 pixels, the size of
// Photoshop's own. The same image gives the same bytes with the same version of libjpeg.
Thumbnail make_thumbnail(const Image& image);

}  // namespace layerpipe::media
