// Modulation for tests that need no table: of one timestep, or of a conditioning that the reference gave.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>

#include <array>
#include <vector>

#include "model/transformer/modulation_table.h"

namespace layerpipe::testing {

// The row of a timestep, by a table of its own.
inline model::ModulationRow modulation_of(const model::WeightStore& store,
                                          const model::TransformerConfig& config, const common::Range& blocks,
                                          float timestep) {
  model::ModulationTable table(config, blocks, 1, store.device(), store.compute_dtype());
  const std::array timesteps{timestep};
  table.make(store, timesteps, {});
  return table.row(timestep);
}

// The row that a conditioning [1, inner_dim] gives: as the blocks and the head of the reference compute it,
// in every forward.
inline model::ModulationRow modulation_from(const model::WeightStore& store,
                                            const model::TransformerConfig& config,
                                            const common::Range& blocks, const at::Tensor& conditioning) {
  std::vector<at::Tensor> parts;
  for (const model::ModulationLayer& layer : modulation_layers(config, blocks)) {
    parts.push_back(load_linear(store, layer.name, config.inner_dim(), layer.outputs)
                        .apply_to_vector(conditioning)
                        .view({-1}));
  }
  return {at::cat(parts), config, blocks};
}

}  // namespace layerpipe::testing
