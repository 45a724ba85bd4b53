#include "media/composite.h"

#include <cmath>
#include <string>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

std::string size_text(int width, int height) {
  return std::to_string(width) + " × " + std::to_string(height);
}

// std::lrint rounds in the current mode, which is half to even unless somebody changed it.
std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::lrint(value));
}

}  // namespace

Compositor::Compositor(int width, int height) : width_(width), height_(height) {
  common::ensure(width >= 1 && height >= 1 && width <= kMaxSide && height <= kMaxSide,
                 "layers of no valid size are to be put together");
  pixels_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
}

void Compositor::add(const Image& layer) {
  common::ensure(is_valid(layer), "a layer to be put together has no valid size");
  if (layer.width != width_ || layer.height != height_) {
    throw common::InputError("layer " + std::to_string(layers_) + " has " +
                                 size_text(layer.width, layer.height) + " pixels, but layer 0 has " +
                                 size_text(width_, height_),
                             "Layers must have one size.");
  }
  const std::uint8_t* in = layer.pixels.data();
  for (Pixel& pixel : pixels_) {
    const float in_alpha = static_cast<float>(in[3]) / 255.0f;
    for (int c = 0; c < 3; ++c)
      pixel.color[c] = in_alpha * static_cast<float>(in[c]) + (1 - in_alpha) * pixel.color[c];
    pixel.alpha = in_alpha + (1 - in_alpha) * pixel.alpha;
    in += 4;
  }
  ++layers_;
}

Image Compositor::picture() const {
  Image result = make_image(width_, height_);
  std::uint8_t* out = result.pixels.data();
  for (const Pixel& pixel : pixels_) {
    // A layer that is not fully transparent adds at least 1/255, so nothing but 0 rounds to 0.
    if (pixel.alpha != 0) {
      for (int c = 0; c < 3; ++c) out[c] = to_byte(std::fmin(pixel.color[c] / pixel.alpha, 255.0f));
      out[3] = to_byte(255.0f * pixel.alpha);
    }
    out += 4;
  }
  return result;
}

Image composite(std::span<const Image> layers) {
  if (layers.empty()) throw common::InputError("there is no layer to put together");
  Compositor compositor(layers[0].width, layers[0].height);
  for (const Image& layer : layers) compositor.add(layer);
  return compositor.picture();
}

}  // namespace layerpipe::media
