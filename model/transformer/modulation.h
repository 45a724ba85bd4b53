// What a timestep does to the blocks and to the head: shift, scale and gate of their norms.
//
// It depends on the timestep and on weights, not on picture, prompt or branch. So a table of it is made
// before a window is denoised (modulation_table.h), and blocks and head are given rows of that.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/range.h"
#include "model/config.h"

namespace layerpipe::model {

// Of a stream, for its attention or for its MLP; each [inner_dim].
struct Modulation {
  at::Tensor shift;
  at::Tensor scale;
  at::Tensor gate;
};

struct StreamModulation {
  Modulation attention;
  Modulation mlp;
};

// Of a block.
struct BlockModulation {
  StreamModulation image;
  StreamModulation text;
};

// Of the head's norm; each [inner_dim].
struct HeadModulation {
  at::Tensor scale;
  at::Tensor shift;
};

// A linear layer of the transformer that makes a part of a row from silu of the timestep's embedding.
struct ModulationLayer {
  std::string name;  // in the transformer's store
  std::int64_t outputs = 0;
};

// Those of some blocks, and of the head when the last block is among them, in the order in which their
// outputs lie in a row: image, then text of each block, 6 · inner_dim each (shift, scale and gate of the
// attention, then of the MLP); last 2 · inner_dim of the head (scale, shift).
std::vector<ModulationLayer> modulation_layers(const TransformerConfig& config, const common::Range& blocks);

// What one timestep gives to some blocks, and to the head when the last block is among them. A view of a row
// that lies on the device; to take a part of it makes neither copy nor kernel.
class ModulationRow {
 public:
  // values [sum of the outputs of modulation_layers(config, blocks)], compute dtype.
  ModulationRow(at::Tensor values, const TransformerConfig& config, const common::Range& blocks);

  // Throws InternalError for a block, or a head, that is not of this row.
  BlockModulation block(std::int64_t index) const;
  HeadModulation head() const;

 private:
  at::Tensor values_;
  common::Range blocks_;
  std::int64_t dim_;
  bool has_head_;
};

}  // namespace layerpipe::model
