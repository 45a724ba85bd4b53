// What the transformer's parts take beside their weights, and how much they compute. Pure.
//
// Memory in bytes, as LibTorch allocates it; operations in floating-point operations of the matrix products
// (two for each multiply-add) of one microbatch. tests/model/network_cost_test.cpp holds the figures against
// what is really allocated.
#pragma once

#include <cstdint>

#include "model/compute_target.h"
#include "model/config.h"
#include "model/ops/quantised_weight.h"

namespace layerpipe::model {

// The tokens of one microbatch.
struct TransformerTokens {
  std::int64_t latent = 0;  // those that are denoised
  std::int64_t image = 0;   // these and the condition's
  std::int64_t text = 0;
  std::int64_t joint() const { return image + text; }
};

// Both streams: what a block works on, and what goes from stage to stage.
std::uint64_t stream_bytes(const TransformerConfig& config, const TransformerTokens& tokens,
                           const ComputeTarget& target);

// What TransformerBlock::forward takes beside its arguments: queries, keys, values and the attention's
// result, or the result and tiles of the MLP.
std::uint64_t block_workspace_bytes(const TransformerConfig& config, const TransformerTokens& tokens,
                                    const ComputeTarget& target);

// What that takes beside it where the block's matrices are quantised.
std::uint64_t quantised_block_workspace_bytes(const TransformerConfig& config,
                                              const TransformerTokens& tokens, const ComputeTarget& target,
                                              ops::Product product);
// What a row of a modulation table (modulation_table.h) takes for each block, and for the head.
std::uint64_t block_modulation_bytes(const TransformerConfig& config, const ComputeTarget& target);
std::uint64_t head_modulation_bytes(const TransformerConfig& config, const ComputeTarget& target);
// What a row that is being made takes beside that: silu of its timestep's embedding. And what making rows
// takes beside it and the weights that pass: a layer's result for one row, and on a CPU the pieces in which
// weights are read.
std::uint64_t conditioning_bytes(const TransformerConfig& config, const ComputeTarget& target);
std::uint64_t row_making_bytes(const TransformerConfig& config, const ComputeTarget& target);

// The tables of one stream's tokens.
std::uint64_t rotary_bytes(const TransformerConfig& config, std::int64_t tokens);

// Packed latents of these tokens, or the prediction for them.
std::uint64_t latent_bytes(const TransformerConfig& config, std::int64_t tokens, const ComputeTarget& target);

// A prompt's embeddings as StreamEmbedder takes them.
std::uint64_t prompt_bytes(const TransformerConfig& config, std::int64_t text_tokens,
                           const ComputeTarget& target);

// 24 · tokens · dim² + 4 · tokens² · dim; less in the last block, where nobody reads the text's result.
double block_operations(const TransformerConfig& config, const TransformerTokens& tokens, std::int64_t block);
// The second part of it: scores, and their product with the values.
double block_attention_operations(const TransformerConfig& config, const TransformerTokens& tokens,
                                  std::int64_t block);
double stream_embedder_operations(const TransformerConfig& config, const TransformerTokens& tokens);
double output_head_operations(const TransformerConfig& config, const TransformerTokens& tokens);

}  // namespace layerpipe::model
