// What the VAE takes beside its weights, and how much it computes. Pure; see
// model/transformer/transformer_cost.h for the units.
#pragma once

#include <cstdint>

#include "common/range.h"
#include "model/compute_target.h"
#include "model/config.h"
#include "model/ops/tiles.h"

namespace layerpipe::model {

// A picture, or layers of one, in latent pixels.
struct VaeShape {
  std::int64_t frames = 1;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

struct VaeWork {
  std::uint64_t bytes = 0;  // the most that is there at a time, the result included
  double operations = 0;
};

// VaeEncoder::forward_strip and VaeDecoder::forward_strip, beside their arguments.
VaeWork encoder_strip_work(const VaeConfig& config, const VaeShape& shape, const common::Range& strip,
                           const ComputeTarget& target);
VaeWork decoder_strip_work(const VaeConfig& config, const VaeShape& shape, const common::Range& strip,
                           const ComputeTarget& target);

// The middle block, with what goes in (twice: in pieces and joined).
VaeWork middle_work(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target);

// A tensor of the middle block's width, and the pictures.
std::uint64_t middle_bytes(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target);
std::uint64_t picture_bytes(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target);

// VaeEncoder::forward and VaeDecoder::forward as a whole, beside their arguments.
VaeWork encoder_work(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target);
VaeWork decoder_work(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target);

// The largest of all strips' works, as many as are worked on at a time.
VaeWork largest_encoder_strips(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target);
VaeWork largest_decoder_strips(const VaeConfig& config, const VaeShape& shape, const ComputeTarget& target);

}  // namespace layerpipe::model
