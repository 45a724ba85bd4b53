#include "launch/layer_hashes.h"

#include "model/fingerprint.h"
#include "model/latents.h"

namespace layerpipe::launch {

std::vector<std::string> layer_hashes(const at::Tensor& decoded) {
  std::vector<std::string> hashes;
  for (const at::Tensor& layer : model::tensor_to_pictures(decoded).unbind(0)) {
    hashes.push_back(pixel_hash(layer));
  }
  return hashes;
}

std::string pixel_hash(const at::Tensor& pixels) {
  const at::Tensor bytes = pixels.contiguous();
  return model::hash_of({static_cast<const std::byte*>(bytes.const_data_ptr()), bytes.nbytes()});
}

}  // namespace layerpipe::launch
