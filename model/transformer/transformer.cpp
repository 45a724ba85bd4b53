#include "model/transformer/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/silu.h>

#include <cmath>

#include "common/errors.h"
#include "model/ops/ops.h"
#include "model/ops/tiles.h"

namespace layerpipe::model {
namespace {

constexpr std::int64_t kSinusoidDim = 256;
constexpr double kSinusoidPeriod = 10000.0;
constexpr double kSinusoidScale = 1000.0;
constexpr double kTimestepDivisor = 1000.0;
constexpr double kNormEps = 1e-6;

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

at::Tensor TimestepEmbedder::forward(double timestep) const {
  const at::Tensor rounded = at::full({1}, timestep, at::TensorOptions().dtype(at::kFloat).device(device_))
                                 .to(compute_dtype_)
                                 .div(kTimestepDivisor);
  at::Tensor embedding = linear_2_.apply_to_vector(at::silu(linear_1_.apply_to_vector(sinusoid(rounded))));
  if (additional_t_cond_) embedding = embedding + *additional_t_cond_;
  return at::silu(embedding);
}

StreamEmbedder::StreamEmbedder(const WeightStore& transformer, const TransformerConfig& config)
    : img_in_(load_linear(transformer, "img_in", config.in_channels, config.inner_dim())),
      txt_in_(load_linear(transformer, "txt_in", config.joint_attention_dim, config.inner_dim())),
      txt_norm_(transformer.get("txt_norm.weight", {config.joint_attention_dim})) {}

Streams StreamEmbedder::forward(const at::Tensor& latents, const at::Tensor& condition,
                                const at::Tensor& prompt_embeds) const {
  const at::Tensor image = condition.defined() ? at::cat({latents, condition}) : latents;
  const at::Tensor text = ops::rms_norm(prompt_embeds, txt_norm_, kNormEps);
  return {img_in_.apply_to_rows(image), txt_in_.apply_to_rows(text)};
}

OutputHead::OutputHead(const WeightStore& transformer, const TransformerConfig& config)
    : norm_out_(load_linear(transformer, "norm_out.linear", config.inner_dim(), 2 * config.inner_dim())),
      proj_out_(load_linear(transformer, "proj_out", config.inner_dim(),
                            config.patch_size * config.patch_size * config.out_channels)) {}

at::Tensor OutputHead::forward(const at::Tensor& hidden_states, const at::Tensor& conditioning,
                               std::int64_t latent_tokens) const {
  const auto scale_and_shift = norm_out_.apply_to_vector(conditioning).view({2, -1}).unbind(0);
  at::Tensor out = at::empty({latent_tokens, proj_out_.outputs()}, hidden_states.options());
  ops::for_each_row_tile(hidden_states.device(), latent_tokens, [&](common::Range rows) {
    const at::Tensor normed = ops::layer_norm_modulate(hidden_states.narrow(0, rows.begin, rows.size()),
                                                       scale_and_shift[0], scale_and_shift[1], kNormEps);
    proj_out_.apply_into(out.narrow(0, rows.begin, rows.size()), normed);
  });
  return out;
}

Transformer::Transformer(const WeightStore& store, const TransformerConfig& config)
    : Transformer(store, config, {0, config.num_layers}) {}

Transformer::Transformer(const WeightStore& store, const TransformerConfig& config,
                         const common::Range& blocks)
    : Transformer(store, config, blocks, [&] {
        return std::make_unique<HeldBlocks<TransformerBlockWeights>>(
            blocks, [&](std::int64_t index) { return load_transformer_block(store, config, index); });
      }) {}

Transformer::Transformer(const WeightStore& store, const TransformerConfig& config,
                         const common::Range& blocks, const MakeTransformerBlocks& make_blocks)
    : timestep_embedder_(store, config), block_(config), blocks_(blocks) {
  common::ensure(0 <= blocks.begin && blocks.begin < blocks.end && blocks.end <= config.num_layers,
                 "a part of the transformer holds no block, or one that there is not");
  if (blocks.begin == 0) stream_embedder_.emplace(store, config);
  block_weights_ = make_blocks();
  if (blocks.end == config.num_layers) head_.emplace(store, config);
}

Streams Transformer::embed(const TransformerInput& input) const {
  common::ensure(stream_embedder_.has_value(), "this part of the transformer has no embedding");
  return stream_embedder_->forward(input.latents, input.condition, input.prompt_embeds);
}

void Transformer::forward_blocks(Streams& streams, const at::Tensor& conditioning, const JointRotary& rotary,
                                 const std::function<void()>& after_block) const {
  for (std::int64_t index = blocks_.begin; index < blocks_.end; ++index) {
    {
      const Lease<TransformerBlockWeights> weights = block_weights_->acquire(index);
      block_.forward(*weights, streams, conditioning, rotary, ops::full_attention);
    }
    if (after_block) after_block();
  }
}

at::Tensor Transformer::project(const at::Tensor& hidden_states, const at::Tensor& conditioning,
                                std::int64_t latent_tokens) const {
  common::ensure(head_.has_value(), "this part of the transformer has no head");
  return head_->forward(hidden_states, conditioning, latent_tokens);
}

at::Tensor Transformer::forward(const TransformerInput& input, const JointRotary& rotary) const {
  const at::Tensor condition = conditioning(input.timestep);
  Streams streams = embed(input);
  forward_blocks(streams, condition, rotary);
  return project(streams.hidden_states, condition, input.latents.size(0));
}

}  // namespace layerpipe::model
