// Putting layers together.
#pragma once

#include <span>
#include <vector>

#include "media/image.h"

namespace layerpipe::media {

// Puts layers on each other, from the back to the front, one at a time: the "over" operator of Porter and
// Duff (Compositing Digital Images, 1984) for straight alpha. Sums are in float and rounded once, at the end,
// half to even. The back of the first layer is transparent.
class Compositor {
 public:
  // 16 bytes a pixel, however many layers come. Throws InternalError unless both sides are 1 to kMaxSide.
  Compositor(int width, int height);

  // Throws InputError, which counts the layers from 0, when the layer has another size.
  void add(const Image& layer);

  // What lies there so far. A pixel with alpha 0 is 0, 0, 0, 0.
  Image picture() const;

 private:
  struct Pixel {
    float color[3] = {0, 0, 0};  // premultiplied, 0 … 255
    float alpha = 0;             // 0 … 1
  };
  int width_;
  int height_;
  int layers_ = 0;
  std::vector<Pixel> pixels_;  // [height, width]
};

// The picture of all `layers`, from back to front. Throws InputError when there is no layer, or when their
// sizes differ (it names the first that does).
Image composite(std::span<const Image> layers);

}  // namespace layerpipe::media
