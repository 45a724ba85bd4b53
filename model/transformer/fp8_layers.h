// Which of the transformer's layers --dtype fp8 keeps in e4m3.
#pragma once

#include <cstdint>
#include <string>

namespace layerpipe::model {

// `tensor` by its name in the transformer: "transformer_blocks.3.attn.to_q.weight". `num_layers` blocks.
// docs/decisions.md has what the choice costs and gains.
bool is_fp8_layer(const std::string& tensor, std::int64_t num_layers);

// Whether there is one in a transformer of so many blocks.
bool has_fp8_layers(std::int64_t num_layers);

// Every matrix of a block but its modulation: more than is_fp8_layer() chooses, for comparison.
bool is_block_linear(const std::string& tensor);

}  // namespace layerpipe::model
