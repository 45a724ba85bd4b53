#include "media/content_box.h"

#include <algorithm>

#include "common/errors.h"

namespace layerpipe::media {

Box content_box(const Image& image) {
  int left = image.width;
  int right = -1;
  int top = image.height;
  int bottom = -1;
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.row(y);
    const auto filled = [row](int x) { return row[4 * x + 3] != 0; };
    int first = 0;
    while (first < image.width && !filled(first)) ++first;
    if (first == image.width) continue;
    int last = image.width - 1;
    while (!filled(last)) --last;
    left = std::min(left, first);
    right = std::max(right, last);
    top = std::min(top, y);
    bottom = y;
  }
  if (bottom < 0) return {};
  return {left, top, right - left + 1, bottom - top + 1};
}

Image crop(const Image& image, const Box& box) {
  common::ensure(!box.empty() && box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0 &&
                     box.left + box.width <= image.width && box.top + box.height <= image.height,
                 "the box does not lie within the picture");
  Image part = make_image(box.width, box.height);
  for (int y = 0; y < box.height; ++y) {
    const std::uint8_t* from = image.row(box.top + y) + 4 * static_cast<std::size_t>(box.left);
    std::copy_n(from, part.row_bytes(), part.row(y));
  }
  return part;
}

}  // namespace layerpipe::media
