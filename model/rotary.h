// Rotary position tables.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "model/pipeline/token_grid.h"

namespace layerpipe::model {

// Cosine and sine of every token's angles.
struct RotaryTable {
  at::Tensor cos;  // [tokens, head_dim / 2], fp32
  at::Tensor sin;  // [tokens, head_dim / 2], fp32
};

// Angles of the image tokens: frame f at position f (the condition at −1), rows and columns centred, from −(n
// − n/2) on. `axes_dims` are the parts of a head that frame, row and column turn. Source: diffusers,
// QwenEmbedLayer3DRope / QwenEmbedRope.
RotaryTable image_rotary_table(const TokenGrid& grid, const std::array<std::int64_t, 3>& axes_dims,
                               at::Device device);

// Angles of the text tokens, which start behind the largest position of the image (along any axis) and use it
// for all three.
RotaryTable text_rotary_table(const TokenGrid& grid, const std::array<std::int64_t, 3>& axes_dims,
                              std::int64_t text_tokens, at::Device device);

// Angles of a text encoder's tokens 0 … tokens − 1, rounded to the compute dtype as the reference does and
// given in fp32. Source: transformers, Qwen2_5_VLRotaryEmbedding; the three multimodal axes are equal for
// text.
RotaryTable causal_rotary_table(std::int64_t tokens, std::int64_t head_dim, double theta, at::Device device,
                                at::ScalarType compute_dtype);

}  // namespace layerpipe::model
