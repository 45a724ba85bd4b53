// The timestep's embedding, which modulates every block. Source: diffusers, QwenTimestepProjEmbeddings.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "model/config.h"
#include "model/weights/weights.h"

namespace layerpipe::model {

// What the network sees of a scheduler's timestep (0 … num_train_timesteps): rounded to the compute dtype. In
// bf16 997.95 counts as 996. Timesteps that are rounded alike have the same embedding, bit for bit.
float rounded_timestep(float timestep, at::ScalarType compute_dtype);

// Used by one thread.
class TimestepEmbedder {
 public:
  TimestepEmbedder(const WeightStore& transformer, const TransformerConfig& config);

  // silu of the embedding, [1, inner_dim]. `timestep` is the scheduler's; it is rounded to the compute dtype
  // and divided by 1000 there, as the reference does.
  at::Tensor forward(float timestep) const;

 private:
  at::Device device_;
  at::ScalarType compute_dtype_;
  ops::Linear linear_1_;                         // [inner_dim, 256]
  ops::Linear linear_2_;                         // [inner_dim, inner_dim]
  std::optional<at::Tensor> additional_t_cond_;  // [1, inner_dim]: the row that the pipelines use
};

}  // namespace layerpipe::model
