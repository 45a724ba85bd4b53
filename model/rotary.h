// Rotary position tables.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace layerpipe::model {

// Cosine and sine of every token's angles.
struct RotaryTable {
  at::Tensor cos;  // [tokens, head_dim / 2], fp32
  at::Tensor sin;  // [tokens, head_dim / 2], fp32
};

// The token grid of a picture in the transformer: `frames` noise frames, then (Layered) one condition frame.
struct TokenGrid {
  std::int64_t frames = 1;     // layers + 1 for Layered, 1 for text to image
  std::int64_t height = 0;     // in tokens: pixels / 16
  std::int64_t width = 0;      // in tokens
  bool has_condition = false;  // a condition frame of the same size behind the noise frames

  std::int64_t frame_tokens() const { return height * width; }
  std::int64_t latent_tokens() const { return frames * frame_tokens(); }
  std::int64_t image_tokens() const { return latent_tokens() + (has_condition ? frame_tokens() : 0); }
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
