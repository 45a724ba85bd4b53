// What `layerpipe rerun` compares.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace layerpipe::launch {

// Of each layer's RGBA bytes, as they are before --original-size resizes them: model/fingerprint.h. `decoded`
// [layers, 4, height, width] in −1 … 1.
std::vector<std::string> layer_hashes(const at::Tensor& decoded);

// The same for one picture, bytes [height, width, 4].
std::string pixel_hash(const at::Tensor& pixels);

}  // namespace layerpipe::launch
