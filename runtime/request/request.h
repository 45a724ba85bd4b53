// One picture to make, and what comes of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/guidance.h"
#include "model/latents.h"

namespace layerpipe::runtime {

// Everything that decides a result, beside the model, the dtype and the kind of device.
struct Request {
  at::Tensor picture;  // [height, width, 4], bytes, host; sides are multiples of 32 (16 would do for the
                       // mathematics)
  std::string prompt;
  std::optional<std::string> negative_prompt;  // none: no guidance
  std::int64_t layers = 4;
  std::int64_t steps = 50;
  double cfg_scale = 4.0;  // guidance needs more than 1
  model::NormRescale cfg_normalize = model::NormRescale::kOff;
  std::uint64_t seed = 777;
  model::SeedDevice seed_device = model::SeedDevice::kCpu;
  at::Tensor init_latents;  // [(layers + 1) · tokens, channels], fp32, in place of noise; or undefined

  bool uses_guidance() const { return negative_prompt.has_value() && cfg_scale > 1.0; }
};

// Tensors in the compute dtype, in host memory.
struct Result {
  at::Tensor init_latents;            // [latent_tokens, channels], packed
  at::Tensor prompt_embeds;           // [tokens, hidden_size]
  at::Tensor negative_prompt_embeds;  // undefined without guidance
  at::Tensor image_latents;           // [frame_tokens, channels], packed: the condition
  at::Tensor latents;                 // [latent_tokens, channels], packed: after the last step
  at::Tensor decoded;                 // [layers, 4, height, width] in −1 … 1
  std::vector<double> step_seconds;
};

}  // namespace layerpipe::runtime
