// The denoising transformer. Source: diffusers, QwenImageTransformer2DModel.
//
// Its parts are classes of their own, because a pipeline's stages own different ones: the first stage embeds,
// every stage makes the timestep's conditioning and runs its blocks, the last one projects.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>

#include "common/range.h"
#include "model/config.h"
#include "model/transformer/transformer_block.h"
#include "model/weights/block_weights.h"
#include "model/weights/weights.h"

namespace layerpipe::model {

// The timestep's embedding, which modulates every block.
class TimestepEmbedder {
 public:
  TimestepEmbedder(const WeightStore& transformer, const TransformerConfig& config);

  // silu of the embedding, [1, inner_dim]. `timestep` is the scheduler's (0 … num_train_timesteps); it is
  // rounded to the compute dtype and divided by 1000 there, as the reference does: in bf16 997.95 counts as
  // 996.
  at::Tensor forward(double timestep) const;

 private:
  at::Device device_;
  at::ScalarType compute_dtype_;
  ops::Linear linear_1_;                         // [inner_dim, 256]
  ops::Linear linear_2_;                         // [inner_dim, inner_dim]
  std::optional<at::Tensor> additional_t_cond_;  // [1, inner_dim]: the row that the pipelines use
};

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
  at::Tensor forward(const at::Tensor& hidden_states, const at::Tensor& conditioning,
                     std::int64_t latent_tokens) const;

 private:
  ops::Linear norm_out_;  // [2 · inner_dim, inner_dim]: scale, then shift
  ops::Linear proj_out_;  // [patch² · out_channels, inner_dim]
};

// What one call of the transformer needs.
struct TransformerInput {
  at::Tensor latents;        // [latent_tokens, in_channels], compute dtype
  at::Tensor condition;      // [frame_tokens, in_channels], or undefined
  at::Tensor prompt_embeds;  // [text_tokens, joint_attention_dim], compute dtype
  double timestep = 0;
};

// Makes the weights of a part's blocks available, after the embedding's and before the head's are loaded.
using MakeTransformerBlocks = std::function<std::unique_ptr<BlockWeights<TransformerBlockWeights>>()>;

// A run of the transformer's blocks on one device, with the embedding when the first block is among them and
// the head when the last one is. Every part makes the timestep's conditioning itself. Used by one thread.
class Transformer {
 public:
  // All blocks, held.
  Transformer(const WeightStore& store, const TransformerConfig& config);
  // Some of them, at least one, held.
  Transformer(const WeightStore& store, const TransformerConfig& config, const common::Range& blocks);
  // Some of them, whose weights come from what `make_blocks` gives.
  Transformer(const WeightStore& store, const TransformerConfig& config, const common::Range& blocks,
              const MakeTransformerBlocks& make_blocks);

  // silu of the timestep's embedding, [1, inner_dim].
  at::Tensor conditioning(double timestep) const { return timestep_embedder_.forward(timestep); }
  // Needs the first block's part.
  Streams embed(const TransformerInput& input) const;
  // Changes both streams in place, on a lease of one block after the other. `after_block`, where there is
  // one, is called after each, when its lease has ended.
  void forward_blocks(Streams& streams, const at::Tensor& conditioning, const JointRotary& rotary,
                      const std::function<void()>& after_block = {}) const;
  // Needs the last block's part. The prediction for the first `latent_tokens` rows, [latent_tokens,
  // in_channels].
  at::Tensor project(const at::Tensor& hidden_states, const at::Tensor& conditioning,
                     std::int64_t latent_tokens) const;

  // All of it, one after the other; needs all blocks. The prediction for the latents, [latent_tokens,
  // in_channels]. `rotary` belongs to the request's grid and text length.
  at::Tensor forward(const TransformerInput& input, const JointRotary& rotary) const;

 private:
  TimestepEmbedder timestep_embedder_;
  std::optional<StreamEmbedder> stream_embedder_;  // of the first part
  TransformerBlock block_;
  common::Range blocks_;
  std::unique_ptr<BlockWeights<TransformerBlockWeights>> block_weights_;
  std::optional<OutputHead> head_;  // of the last part
};

}  // namespace layerpipe::model
