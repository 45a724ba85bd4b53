// Where a layer has content.
#pragma once

#include "media/image.h"

namespace layerpipe::media {

// Pixels; from (left, top), up to but without (left + width, top + height).
struct Box {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;

  bool empty() const noexcept { return width == 0 || height == 0; }
  bool operator==(const Box&) const = default;
};

// The smallest box that holds every pixel whose alpha is not 0; an empty one at (0, 0) when there is none.
Box content_box(const Image& image);

// The part of `image` in `box`, which must lie within it and hold a pixel; throws InternalError otherwise.
Image crop(const Image& image, const Box& box);

}  // namespace layerpipe::media
