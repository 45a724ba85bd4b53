#include "results/layer_pixels.h"

#include <cstring>

#include "media/bleed.h"
#include "media/resize.h"
#include "model/fingerprint.h"
#include "model/latents.h"

namespace layerpipe::results {

media::Image layer_image(const at::Tensor& bytes, const common::Size& size) {
  const at::Tensor rows = bytes.contiguous();
  media::Image image = media::make_image(static_cast<int>(rows.size(1)), static_cast<int>(rows.size(0)));
  std::memcpy(image.pixels.data(), rows.const_data_ptr(), image.pixels.size());
  image = media::resize_lanczos(image, static_cast<int>(size.width), static_cast<int>(size.height));
  media::bleed_colors(image);
  return image;
}

std::vector<std::string> layer_hashes(const at::Tensor& decoded) {
  std::vector<std::string> hashes;
  for (const at::Tensor& layer : model::tensor_to_pictures(decoded).unbind(0))
    hashes.push_back(pixel_hash(layer));
  return hashes;
}

std::string pixel_hash(const at::Tensor& pixels) {
  const at::Tensor bytes = pixels.contiguous();
  return model::hash_of({static_cast<const std::byte*>(bytes.const_data_ptr()), bytes.nbytes()});
}

}  // namespace layerpipe::results
