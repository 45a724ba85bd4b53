#include "model/transformer/modulation.h"

#include <ATen/core/Tensor.h>

#include <utility>

#include "common/errors.h"

namespace layerpipe::model {
namespace {

constexpr std::int64_t kStreamParts = 6;                // shift, scale, gate of the attention and of the MLP
constexpr std::int64_t kBlockParts = 2 * kStreamParts;  // image, text
constexpr std::int64_t kHeadParts = 2;                  // scale, shift

bool has_last(const TransformerConfig& config, const common::Range& blocks) {
  return blocks.end == config.num_layers;
}

}  // namespace

std::vector<ModulationLayer> modulation_layers(const TransformerConfig& config, const common::Range& blocks) {
  const std::int64_t dim = config.inner_dim();
  std::vector<ModulationLayer> layers;
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block) {
    const std::string prefix = "transformer_blocks." + std::to_string(block) + ".";
    layers.push_back({prefix + "img_mod.1", kStreamParts * dim});
    layers.push_back({prefix + "txt_mod.1", kStreamParts * dim});
  }
  if (has_last(config, blocks)) layers.push_back({"norm_out.linear", kHeadParts * dim});
  return layers;
}

ModulationRow::ModulationRow(at::Tensor values, const TransformerConfig& config, const common::Range& blocks)
    : values_(std::move(values)),
      blocks_(blocks),
      dim_(config.inner_dim()),
      has_head_(has_last(config, blocks)) {}

BlockModulation ModulationRow::block(std::int64_t index) const {
  common::ensure(blocks_.contains(index), "a row has no modulation of this block");
  const auto parts = values_.narrow(0, (index - blocks_.begin) * kBlockParts * dim_, kBlockParts * dim_)
                         .view({kBlockParts, dim_})
                         .unbind(0);
  const auto stream = [&](std::size_t first) -> StreamModulation {
    return {{parts[first], parts[first + 1], parts[first + 2]},
            {parts[first + 3], parts[first + 4], parts[first + 5]}};
  };
  return {stream(0), stream(kStreamParts)};
}

HeadModulation ModulationRow::head() const {
  common::ensure(has_head_, "a row has no modulation of the head");
  const auto parts = values_.narrow(0, blocks_.size() * kBlockParts * dim_, kHeadParts * dim_)
                         .view({kHeadParts, dim_})
                         .unbind(0);
  return {parts[0], parts[1]};
}

}  // namespace layerpipe::model
