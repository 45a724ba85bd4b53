// What the text encoder's layers take beside their weights, and how much they compute. Pure; see
// model/transformer/transformer_cost.h for the units.
#pragma once

#include <cstdint>

#include "model/compute_target.h"
#include "model/config.h"

namespace layerpipe::model {

// What a layer works on, and what goes from stage to stage.
std::uint64_t text_hidden_bytes(const TextEncoderConfig& config, std::int64_t tokens,
                                const ComputeTarget& target);

// What TextLayer::forward takes beside the hidden states, the rotary tables included.
std::uint64_t text_layer_workspace_bytes(const TextEncoderConfig& config, std::int64_t tokens,
                                         const ComputeTarget& target);
// What that takes beside it where the layer's matrices are quantised.
std::uint64_t quantised_text_layer_workspace_bytes(const TextEncoderConfig& config, std::int64_t tokens,
                                                   const ComputeTarget& target);

double text_layer_operations(const TextEncoderConfig& config, std::int64_t tokens);

}  // namespace layerpipe::model
