// Standard library only.
#pragma once

#include <cstdint>

namespace layerpipe::model {

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

}  // namespace layerpipe::model
