#include "model/text_encoder/text_encoder_cost.h"

#include <algorithm>

#include "model/ops/attention.h"
#include "model/ops/quantised_weight.h"
#include "model/ops/tiles.h"

namespace layerpipe::model {

std::uint64_t text_hidden_bytes(const TextEncoderConfig& config, std::int64_t tokens,
                                const ComputeTarget& target) {
  return target.bytes(tokens * config.hidden_size);
}

std::uint64_t text_layer_workspace_bytes(const TextEncoderConfig& config, std::int64_t tokens,
                                         const ComputeTarget& target) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t keys = config.num_key_value_heads * config.head_dim();
  const std::int64_t rows = std::min(tokens, ops::rows_per_tile(target.device, tokens));
  const auto at_once = static_cast<std::uint64_t>(target.at_once((tokens + rows - 1) / rows));
  constexpr std::uint64_t kWide = sizeof(float);

  const std::uint64_t tables = kWide * static_cast<std::uint64_t>(tokens * config.head_dim());
  const std::uint64_t joint = target.bytes(tokens * (2 * hidden + 2 * keys));  // q, k, v and the result
  // A GPU's kernel reads as many heads of keys and values as there are of queries.
  const std::uint64_t repeated = target.device.is_cpu() ? 0 : target.bytes(tokens * 2 * hidden);
  const std::uint64_t attending =
      repeated +
      ops::attention_workspace_bytes(tokens, config.num_attention_heads, config.head_dim(), target);
  // The normed rows, gate and up; and what swiglu_ lays between: the gate's silu in fp32, before that the
  // gate and, on a CPU, up.
  const std::uint64_t wide_copies = target.compute_dtype == at::kFloat ? 1 : target.device.is_cpu() ? 3 : 2;
  const std::uint64_t tile =
      target.bytes(rows * (hidden + 2 * config.intermediate_size)) +
      wide_copies * kWide * static_cast<std::uint64_t>(rows * config.intermediate_size);
  return tables + joint + std::max(attending, at_once * tile);
}

std::uint64_t quantised_text_layer_workspace_bytes(const TextEncoderConfig& config, std::int64_t tokens,
                                                   const ComputeTarget& target) {
  const std::int64_t rows = std::min(tokens, ops::rows_per_tile(target.device, tokens));
  const auto one = [&](std::int64_t in, std::int64_t out) {
    return ops::quantised_workspace_bytes(in, out, rows, target, ops::Product::kWeightOnly);
  };
  return static_cast<std::uint64_t>(target.at_once((tokens + rows - 1) / rows)) *
         std::max({one(config.hidden_size, config.hidden_size),
                   one(config.hidden_size, config.intermediate_size),
                   one(config.intermediate_size, config.hidden_size)});
}

double text_layer_operations(const TextEncoderConfig& config, std::int64_t tokens) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto keys = static_cast<double>(config.num_key_value_heads * config.head_dim());
  const auto wide = static_cast<double>(config.intermediate_size);
  const auto rows = static_cast<double>(tokens);
  // Half of the scores are masked.
  return 2 * rows * (2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * wide) + 2 * rows * rows * hidden;
}

}  // namespace layerpipe::model
