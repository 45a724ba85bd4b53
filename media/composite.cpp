#include "media/composite.h"

#include <cmath>
#include <string>

#include "common/errors.h"

namespace layerpipe::media {
namespace {

std::string size_of(const Image& image) {
  return std::to_string(image.width) + " x " + std::to_string(image.height);
}

void check_sizes(std::span<const Image> layers) {
  if (layers.empty()) throw common::InputError("there is no layer to put together");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    common::ensure(is_valid(layers[i]), "a layer to be put together has no valid size");
    if (size_of(layers[i]) == size_of(layers[0])) continue;
    throw common::InputError("layer " + std::to_string(i) + " has " + size_of(layers[i]) +
                                 " pixels, but layer 0 has " + size_of(layers[0]),
                             "Layers must have one size.");
  }
}

// std::lrint rounds in the current mode, which is half to even unless somebody changed it.
std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::lrint(value));
}

void compose_pixel(std::span<const Image> layers, std::size_t offset, std::uint8_t* out) {
  float color[3] = {0, 0, 0};  // premultiplied, 0 … 255
  float alpha = 0;             // 0 … 1
  for (const Image& layer : layers) {
    const std::uint8_t* in = layer.pixels.data() + offset;
    const float in_alpha = static_cast<float>(in[3]) / 255.0f;
    for (int c = 0; c < 3; ++c) color[c] = in_alpha * static_cast<float>(in[c]) + (1 - in_alpha) * color[c];
    alpha = in_alpha + (1 - in_alpha) * alpha;
  }
  // A layer that is not fully transparent adds at least 1/255, so nothing but 0 rounds to 0.
  if (alpha == 0) return;
  for (int c = 0; c < 3; ++c) out[c] = to_byte(std::fmin(color[c] / alpha, 255.0f));
  out[3] = to_byte(255.0f * alpha);
}

}  // namespace

Image composite(std::span<const Image> layers) {
  check_sizes(layers);
  Image result = make_image(layers[0].width, layers[0].height);
  for (std::size_t offset = 0; offset < result.pixels.size(); offset += 4) {
    compose_pixel(layers, offset, result.pixels.data() + offset);
  }
  return result;
}

}  // namespace layerpipe::media
