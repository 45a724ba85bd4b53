// Makes the pixels of layers from what the VAE decodes.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "common/size.h"
#include "media/image.h"

namespace layerpipe::results {

// One layer, bytes [height, width, 4], as it is written: at that size, and with colours in what cannot be
// seen.
media::Image layer_image(const at::Tensor& bytes, const common::Size& size);

// What `layerpipe rerun` compares: of each layer's RGBA bytes, before layer_image changes them
// (model/fingerprint.h). `decoded` [layers, 4, height, width] in −1 … 1.
std::vector<std::string> layer_hashes(const at::Tensor& decoded);

// The same for one picture, bytes [height, width, 4].
std::string pixel_hash(const at::Tensor& pixels);

}  // namespace layerpipe::results
