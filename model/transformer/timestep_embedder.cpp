#include "model/transformer/timestep_embedder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/silu.h>

#include <cmath>

namespace layerpipe::model {
namespace {

constexpr std::int64_t kSinusoidDim = 256;
constexpr double kSinusoidPeriod = 10000.0;
constexpr double kSinusoidScale = 1000.0;
constexpr double kTimestepDivisor = 1000.0;

// [1, 256]: cosines, then sines, of an fp32 angle. Source: diffusers, get_timestep_embedding in
// models/embeddings.py (the function of that name in the transformer's own file rounds the frequencies, but
// is not called).
at::Tensor sinusoid(const at::Tensor& timestep) {
  const std::int64_t half = kSinusoidDim / 2;
  const at::Tensor exponent =
      at::arange(half, timestep.options().dtype(at::kFloat)) * -std::log(kSinusoidPeriod) / half;
  const at::Tensor frequency = exponent.exp();
  const at::Tensor angle = (timestep.to(at::kFloat).unsqueeze(1) * frequency.unsqueeze(0)) * kSinusoidScale;
  return at::cat({angle.cos(), angle.sin()}, -1).to(timestep.scalar_type());
}

}  // namespace

float rounded_timestep(float timestep, at::ScalarType compute_dtype) {
  return at::full({}, timestep, at::kFloat).to(compute_dtype).item<float>();
}

TimestepEmbedder::TimestepEmbedder(const WeightStore& transformer, const TransformerConfig& config)
    : device_(transformer.device()), compute_dtype_(transformer.compute_dtype()) {
  const WeightStore store = transformer.scope("time_text_embed");
  const std::int64_t dim = config.inner_dim();
  linear_1_ = load_linear(store, "timestep_embedder.linear_1", kSinusoidDim, dim);
  linear_2_ = load_linear(store, "timestep_embedder.linear_2", dim, dim);
  if (config.use_additional_t_cond) {
    // The table's second row marks pure RGB input, which no published pipeline uses.
    additional_t_cond_ = store.get("addition_t_embedding.weight", {2, dim}).narrow(0, 0, 1);
  }
}

at::Tensor TimestepEmbedder::forward(float timestep) const {
  const at::Tensor rounded = at::full({1}, timestep, at::TensorOptions().dtype(at::kFloat).device(device_))
                                 .to(compute_dtype_)
                                 .div(kTimestepDivisor);
  at::Tensor embedding = linear_2_.apply_to_vector(at::silu(linear_1_.apply_to_vector(sinusoid(rounded))));
  if (additional_t_cond_) embedding = embedding + *additional_t_cond_;
  return at::silu(embedding);
}

}  // namespace layerpipe::model
