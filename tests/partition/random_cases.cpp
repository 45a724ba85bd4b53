#include "random_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace layerpipe::partition::testing {

std::vector<DeviceInfo> devices_with(const std::vector<std::uint64_t>& free_bytes) {
  std::vector<DeviceInfo> devices;
  for (const std::uint64_t bytes : free_bytes) {
    devices.push_back({.rank = static_cast<int>(devices.size()),
                       .host = "node1",
                       .name = "GPU",
                       .total_bytes = bytes,
                       .free_bytes = bytes});
  }
  return devices;
}

ModelCost plain_model(std::int64_t blocks, std::uint64_t block_bytes, std::int64_t text_layers,
                      std::uint64_t layer_bytes) {
  ModelCost cost;
  cost.transformer.units.assign(static_cast<std::size_t>(blocks), {block_bytes, 1.0});
  cost.text_encoder.units.assign(static_cast<std::size_t>(text_layers), {layer_bytes, 1.0});
  cost.vae.decode_tasks = 100;
  return cost;
}

ModelCost random_model(Draw& draw, std::int64_t blocks, std::int64_t text_layers) {
  const std::uint64_t block = draw.number(1, 1000);
  ModelCost cost = plain_model(blocks, block, text_layers, draw.number(1, 1000));
  cost.transformer.units.back().weight_bytes = draw.number(1, block);
  for (UnitCost& unit : cost.transformer.units) unit.operations = static_cast<double>(draw.number(1, 9));
  for (ChainCost* chain : {&cost.transformer, &cost.text_encoder}) {
    chain->first.weight_bytes = draw.number(0, 200);
    chain->last.weight_bytes = draw.number(0, 200);
    chain->conversion_bytes = draw.one_in(3) ? draw.number(0, 200) : 0;
    chain->workspace_bytes = draw.number(0, 300);
    chain->boundary_bytes = draw.number(0, 60);
    chain->state_bytes = draw.number(0, 60);
    chain->first_state_bytes = draw.number(0, 60);
    chain->last_state_bytes = draw.number(0, 60);
  }
  cost.transformer.table = {.unit_row_bytes = draw.number(0, 20),
                            .last_row_bytes = draw.number(0, 20),
                            .rounding_bytes = draw.number(0, 20),
                            .making_bytes = draw.number(0, 400),
                            .making_row_bytes = draw.number(0, 20)};
  cost.vae = {.encoder_weight_bytes = draw.number(0, 300),
              .decoder_weight_bytes = draw.number(0, 300),
              .encode_bytes = draw.number(0, 300),
              .encode_whole_bytes = draw.number(0, 300),
              .decode_bytes = draw.number(0, 300),
              .decode_tasks = draw.count(1, 64)};
  cost.overhead = {.context_bytes = draw.number(0, 100),
                   .channel_bytes = draw.number(0, 100),
                   .host_bytes = draw.number(0, 100)};
  return cost;
}

std::uint64_t weights_of(const ModelCost& cost) {
  std::uint64_t total = cost.vae.encoder_weight_bytes + cost.vae.decoder_weight_bytes;
  for (const ChainCost* chain : {&cost.transformer, &cost.text_encoder}) {
    for (const UnitCost& unit : chain->units) total += unit.weight_bytes;
  }
  return total;
}

std::vector<DeviceInfo> random_devices(Draw& draw, std::int64_t count, std::uint64_t total_bytes) {
  std::vector<std::uint64_t> parts;
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) parts.push_back(draw.one_in(20) ? 0 : draw.number(1, 100));
  for (const std::uint64_t part : parts) sum += part;
  std::vector<DeviceInfo> devices;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t free = sum == 0 ? 0 : total_bytes * parts[static_cast<std::size_t>(i)] / sum;
    devices.push_back({.rank = static_cast<int>(i),
                       .host = "node" + std::to_string(draw.number(1, 3)),
                       .name = "GPU",
                       .total_bytes = free,
                       .free_bytes = free});
  }
  return devices;
}

void expect_sound(const Plan& plan, const ModelCost& cost, const std::vector<DeviceInfo>& devices) {
  ASSERT_EQ(plan.stages.size(), devices.size());
  std::int64_t block = 0;
  std::int64_t layer = 0;
  double percent = 0;
  bool is_missing = false;
  std::set<int> ranks;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const StagePlan& stage = plan.stages[i];
    ASSERT_EQ(stage.stage, static_cast<int>(i));
    ASSERT_TRUE(ranks.insert(stage.rank).second);
    ASSERT_EQ(stage.blocks.begin, block);
    ASSERT_GT(stage.blocks.size(), 0);
    ASSERT_EQ(stage.text_layers.begin, layer);
    ASSERT_GE(stage.text_layers.size(), 0);
    ASSERT_GE(stage.vae_percent, 0);
    block = stage.blocks.end;
    layer = stage.text_layers.end;
    percent += stage.vae_percent;
    const std::uint64_t peak = stage.predicted_peak_bytes.most();
    ASSERT_EQ(stage.missing_bytes, peak - std::min(peak, stage.budget_bytes));
    is_missing |= stage.missing_bytes > 0;
    const PhaseBytes again =
        predict_peaks(cost, stage, static_cast<std::int64_t>(plan.stages.size()), held_by(plan));
    ASSERT_EQ(again.most(), peak);
  }
  ASSERT_EQ(block, static_cast<std::int64_t>(cost.transformer.units.size()));
  ASSERT_EQ(layer, static_cast<std::int64_t>(cost.text_encoder.units.size()));
  ASSERT_NEAR(percent, 100, 1e-9);
  ASSERT_EQ(plan.fits, !is_missing);
}

namespace {
void extend(std::int64_t units, std::int64_t parts, std::int64_t least, std::vector<std::int64_t>& begin,
            std::vector<std::vector<std::int64_t>>& found) {
  if (parts == 1) {
    found.push_back(begin);
    found.back().push_back(units);
    return;
  }
  for (std::int64_t part = least; part <= units - least * (parts - 1); ++part) {
    begin.push_back(part);
    extend(units - part, parts - 1, least, begin, found);
    begin.pop_back();
  }
}
}  // namespace

std::vector<std::vector<std::int64_t>> all_splits(std::int64_t units, std::int64_t parts,
                                                  std::int64_t least) {
  std::vector<std::vector<std::int64_t>> found;
  std::vector<std::int64_t> begin;
  extend(units, parts, least, begin, found);
  return found;
}

}  // namespace layerpipe::partition::testing
