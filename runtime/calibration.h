// How fast a device is, from a short measurement.
#pragma once

#include "model/compute_target.h"
#include "model/config.h"
#include "model/transformer/transformer_cost.h"

namespace layerpipe::runtime {

// Floating-point operations per second of a transformer block with these tokens (transformer_cost.h), all that
// it does beside matrix products and attention counted in.
//
// Runs a block of random weights on as many of the tokens as a device does in some hundredths of a second.
// Attention is timed apart, since it grows with the square of the tokens and has a speed of its own. On a GPU
// it takes at most some hundreds of MB for that time; 0, unknown, where they are not free. All ranks of a host
// measure at the same time, as they will work.
double measure_operations_per_second(const model::TransformerConfig& config,
                                     const model::TransformerTokens& tokens,
                                     const model::ComputeTarget& target);

}  // namespace layerpipe::runtime
