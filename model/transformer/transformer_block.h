// One dual-stream block of the transformer. Source: diffusers, QwenImageTransformerBlock.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/config.h"
#include "model/ops/attention.h"
#include "model/rotary.h"
#include "model/transformer/modulation.h"
#include "model/weights/weights.h"

namespace layerpipe::model {

// What travels from block to block, and is changed in place by each.
struct Streams {
  at::Tensor hidden_states;          // [image_tokens, inner_dim], compute dtype
  at::Tensor encoder_hidden_states;  // [text_tokens, inner_dim], compute dtype
};

// Rotary tables of both streams.
struct JointRotary {
  RotaryTable image;
  RotaryTable text;
};

// The weights that one of the two streams has in a block.
struct StreamWeights {
  ops::Linear to_q;  // [dim, dim]
  ops::Linear to_k;
  ops::Linear to_v;
  at::Tensor norm_q;    // [head_dim]
  at::Tensor norm_k;    // [head_dim]
  ops::Linear to_out;   // [dim, dim]
  ops::Linear mlp_in;   // [4 · dim, dim]
  ops::Linear mlp_out;  // [dim, 4 · dim]
};

// A block's weights, without those that make its modulation: these are on the device while a table is made
// (modulation_table.h), not while a block computes. In the last block nothing reads the text stream's result,
// so the text stream has no to_q, norm_q, to_out and MLP there: they are neither loaded nor computed.
struct TransformerBlockWeights {
  StreamWeights image;
  StreamWeights text;
  bool text_result_is_read = true;
};

// Reads block `index` from the transformer's store.
TransformerBlockWeights load_transformer_block(const WeightStore& transformer,
                                               const TransformerConfig& config, std::int64_t index);

// The computation of a block; holds no weights, so that they may come from anywhere.
class TransformerBlock {
 public:
  explicit TransformerBlock(const TransformerConfig& config);

  // Changes both streams in place. Beside its arguments it needs memory for queries, keys, values and the
  // attention's result (4 · tokens · inner_dim) and one row tile of the MLP.
  void forward(const TransformerBlockWeights& weights, Streams& streams, const BlockModulation& modulation,
               const JointRotary& rotary, const ops::AttentionFunction& attention) const;

 private:
  std::int64_t heads_;
  std::int64_t head_dim_;
};

}  // namespace layerpipe::model
