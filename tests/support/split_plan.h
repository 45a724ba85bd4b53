// Plans for tests: a model cut where the test wants it.
#pragma once

#include <algorithm>
#include <vector>

#include "model/config.h"
#include "partition/plan.h"

namespace layerpipe::testing {

// One stage a rank with so many blocks and text layers each (the sums are the model's) and VAE shares in
// percent.
struct Split {
  std::vector<std::int64_t> blocks;
  std::vector<std::int64_t> text_layers;
  std::vector<double> vae_percent;
  std::int64_t in_flight = 1;
  partition::Residency residency = partition::Residency::kPhased;
  std::int64_t kept = 0;  // of each stage's blocks and text layers, where it is kStreamed
  std::int64_t most_in_pass = 1;
};

inline partition::Plan split_plan(const Split& split) {
  partition::Plan plan;
  plan.fits = true;
  plan.in_flight = split.in_flight;
  plan.residency = {split.residency, split.residency, split.residency};
  if (split.residency == partition::Residency::kStreamed) plan.residency.vae = partition::Residency::kPhased;
  plan.most_in_pass = split.most_in_pass;
  std::int64_t block = 0;
  std::int64_t layer = 0;
  for (std::size_t i = 0; i < split.blocks.size(); ++i) {
    partition::StagePlan stage;
    stage.stage = static_cast<int>(i);
    stage.rank = static_cast<int>(i);
    stage.blocks = {block, block + split.blocks[i]};
    stage.text_layers = {layer, layer + split.text_layers[i]};
    stage.vae_percent = split.vae_percent[i];
    if (split.residency == partition::Residency::kStreamed) {
      stage.streamed_blocks = std::max<std::int64_t>(split.blocks[i] - split.kept, 0);
      stage.streamed_text_layers = std::max<std::int64_t>(split.text_layers[i] - split.kept, 0);
    }
    block = stage.blocks.end;
    layer = stage.text_layers.end;
    plan.stages.push_back(stage);
  }
  return plan;
}

// As equal as it goes; the first ranks have one more where it does not. With fewer text layers than ranks the
// last ranks have none.
inline Split even_split(const model::ModelConfig& model, std::int64_t ranks) {
  Split split;
  const auto deal = [ranks](std::int64_t total, std::int64_t i) {
    return total / ranks + (i < total % ranks);
  };
  for (std::int64_t i = 0; i < ranks; ++i) {
    split.blocks.push_back(deal(model.transformer.num_layers, i));
    split.text_layers.push_back(deal(model.text_encoder.num_hidden_layers, i));
    split.vae_percent.push_back(100.0 / static_cast<double>(ranks));
  }
  return split;
}

}  // namespace layerpipe::testing
