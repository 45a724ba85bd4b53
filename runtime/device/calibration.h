// How fast a device is, from a short measurement.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "model/compute_target.h"
#include "model/config.h"
#include "model/ops/quantised_weight.h"
#include "model/transformer/transformer_cost.h"

namespace layerpipe::runtime {

// Fewer tokens, in the same proportion, with which a block takes some hundredths of a second of an H200 or of
// a CPU; on a CPU whole rounds of the threads' tiles, which are many operations for a model of the published
// size: then it takes seconds.
model::TransformerTokens sample_tokens(const model::TransformerConfig& config,
                                       const model::TransformerTokens& tokens,
                                       const model::ComputeTarget& target);

// What a block took.
struct BlockSeconds {
  double attention = 0;
  double rest = 0;
};

// Operations per second of a block with `tokens` (transformer_cost.h), from what a sample took: attention
// grows with the square of the tokens and has a speed of its own.
double operations_per_second(const model::TransformerConfig& config, const model::TransformerTokens& tokens,
                             const model::TransformerTokens& sample, const BlockSeconds& seconds);

// How a block's matrices are multiplied: in the compute dtype where there is none, else as quantised ones,
// those of model/transformer/fp8_layers.h.
using BlockProduct = std::optional<model::ops::Product>;

// The same, measured with a block of random weights, after a run that does not count: on a CPU by the
// quickest of three runs (what disturbs a run only makes it longer), or of fewer when they take long; on a
// GPU by the second half of a second of runs, since it slows down as it warms up. What the block does beside
// matrix products and attention counts in. Calls `report_progress` between runs. 0, unknown, where the memory
// for it is not free; `free_bytes` is what is free of the device.
double measure_operations_per_second(const model::TransformerConfig& config,
                                     const model::TransformerTokens& tokens,
                                     const model::ComputeTarget& target, const BlockProduct& product,
                                     std::uint64_t free_bytes,
                                     const std::function<void()>& report_progress = {});

// How fast weights come to the device from memory of the host, the way that they are loaded
// (model/weights/uploader.h); on a CPU they are copied there. The quickest of three times, or of fewer when
// they take long. Calls `report_progress` from several threads, for each MiB. 0, unknown, where the memory
// for it is not free.
double measure_load_bytes_per_second(const at::Device& device, std::uint64_t free_bytes,
                                     const std::function<void()>& report_progress = {});

}  // namespace layerpipe::runtime
