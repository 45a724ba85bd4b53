#include "model/transformer/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "common/errors.h"
#include "model/ops/ops.h"
#include "model/ops/tiles.h"

namespace layerpipe::model {
namespace {

constexpr double kNormEps = 1e-6;

}  // namespace

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
    : proj_out_(load_linear(transformer, "proj_out", config.inner_dim(),
                            config.patch_size * config.patch_size * config.out_channels)) {}

at::Tensor OutputHead::forward(const at::Tensor& hidden_states, const HeadModulation& modulation,
                               std::int64_t latent_tokens) const {
  at::Tensor out = at::empty({latent_tokens, proj_out_.outputs()}, hidden_states.options());
  ops::for_each_row_tile(hidden_states.device(), latent_tokens, [&](common::Range rows) {
    const at::Tensor normed = ops::layer_norm_modulate(hidden_states.narrow(0, rows.begin, rows.size()),
                                                       modulation.scale, modulation.shift, kNormEps);
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
    : block_(config), blocks_(blocks) {
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

void Transformer::forward_blocks(std::span<TransformerMicrobatch> microbatches,
                                 const std::function<void()>& after_block) const {
  for (std::int64_t index = blocks_.begin; index < blocks_.end; ++index) {
    const Lease<TransformerBlockWeights> weights = block_weights_->acquire(index);
    for (TransformerMicrobatch& microbatch : microbatches) {
      block_.forward(*weights, microbatch.streams, microbatch.modulation.block(index), microbatch.rotary,
                     ops::full_attention);
      if (after_block) after_block();
    }
  }
}

at::Tensor Transformer::project(const at::Tensor& hidden_states, const ModulationRow& modulation,
                                std::int64_t latent_tokens) const {
  common::ensure(head_.has_value(), "this part of the transformer has no head");
  return head_->forward(hidden_states, modulation.head(), latent_tokens);
}

at::Tensor Transformer::forward(const TransformerInput& input, const ModulationRow& modulation,
                                const JointRotary& rotary) const {
  TransformerMicrobatch microbatch{embed(input), modulation, rotary};
  forward_blocks({&microbatch, 1});
  return project(microbatch.streams.hidden_states, modulation, input.latents.size(0));
}

}  // namespace layerpipe::model
