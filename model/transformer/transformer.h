// The denoising transformer. Source: diffusers, QwenImageTransformer2DModel.
//
// Its parts are classes of their own, because a pipeline's stages own different ones: the first stage embeds,
// every stage runs its blocks, the last one projects. What depends on the timestep alone, and the weights
// that make it, is no part of it: every stage has a table of that (modulation_table.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "common/range.h"
#include "model/config.h"
#include "model/transformer/modulation.h"
#include "model/transformer/transformer_block.h"
#include "model/weights/block_weights.h"
#include "model/weights/weights.h"

namespace layerpipe::model {

// Makes the two streams from latents and text embeddings.
class StreamEmbedder {
 public:
  StreamEmbedder(const WeightStore& transformer, const TransformerConfig& config);

  // latents [latent_tokens, in_channels]; condition [frame_tokens, in_channels] or undefined;
  // prompt_embeds [text_tokens, joint_attention_dim].
  Streams forward(const at::Tensor& latents, const at::Tensor& condition,
                  const at::Tensor& prompt_embeds) const;

 private:
  ops::Linear img_in_;   // [inner_dim, in_channels]
  ops::Linear txt_in_;   // [inner_dim, joint_attention_dim]
  at::Tensor txt_norm_;  // [joint_attention_dim]
};

// Makes the prediction from the image stream.
class OutputHead {
 public:
  OutputHead(const WeightStore& transformer, const TransformerConfig& config);

  // hidden_states [image_tokens, inner_dim]; gives the first `latent_tokens` rows' prediction [latent_tokens,
  // in_channels].
  at::Tensor forward(const at::Tensor& hidden_states, const HeadModulation& modulation,
                     std::int64_t latent_tokens) const;

 private:
  ops::Linear proj_out_;  // [patch² · out_channels, inner_dim]
};

// What one call of the transformer needs.
struct TransformerInput {
  at::Tensor latents;        // [latent_tokens, in_channels], compute dtype
  at::Tensor condition;      // [frame_tokens, in_channels], or undefined
  at::Tensor prompt_embeds;  // [text_tokens, joint_attention_dim], compute dtype
};

// What goes through the blocks.
struct TransformerMicrobatch {
  Streams streams;
  ModulationRow modulation;  // a row of these blocks
  JointRotary rotary;        // of the request's grid and text length
};

// Makes the weights of a part's blocks available, after the embedding's and before the head's are loaded.
using MakeTransformerBlocks = std::function<std::unique_ptr<BlockWeights<TransformerBlockWeights>>()>;

// A run of the transformer's blocks on one device, with the embedding when the first block is among them and
// the head when the last one is. Used by one thread.
class Transformer {
 public:
  // All blocks, held.
  Transformer(const WeightStore& store, const TransformerConfig& config);
  // Some of them, at least one, held.
  Transformer(const WeightStore& store, const TransformerConfig& config, const common::Range& blocks);
  // Some of them, whose weights come from what `make_blocks` gives.
  Transformer(const WeightStore& store, const TransformerConfig& config, const common::Range& blocks,
              const MakeTransformerBlocks& make_blocks);

  // Needs the first block's part.
  Streams embed(const TransformerInput& input) const;
  // Changes the streams of all microbatches in place, on a lease of one block after the other: each block
  // works on all of them before it goes. `after_block`, where there is one, is called after each work of a
  // block.
  void forward_blocks(std::span<TransformerMicrobatch> microbatches,
                      const std::function<void()>& after_block = {}) const;
  // Needs the last block's part. The prediction for the first `latent_tokens` rows, [latent_tokens,
  // in_channels].
  at::Tensor project(const at::Tensor& hidden_states, const ModulationRow& modulation,
                     std::int64_t latent_tokens) const;

  // All of it, one after the other; needs all blocks. The prediction for the latents, [latent_tokens,
  // in_channels]. `rotary` belongs to the request's grid and text length.
  at::Tensor forward(const TransformerInput& input, const ModulationRow& modulation,
                     const JointRotary& rotary) const;

 private:
  std::optional<StreamEmbedder> stream_embedder_;  // of the first part
  TransformerBlock block_;
  common::Range blocks_;
  std::unique_ptr<BlockWeights<TransformerBlockWeights>> block_weights_;
  std::optional<OutputHead> head_;  // of the last part
};

}  // namespace layerpipe::model
