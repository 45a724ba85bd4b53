// What a plan says it takes, in cases whose answer is known. Devices do one operation in a second.
#include "runtime/plan/plan_times.h"

#include <gtest/gtest.h>

namespace layerpipe::runtime {
namespace {

// Two blocks, two text layers, pictures of two strips, three layers.
partition::ModelCost cost() {
  partition::ModelCost cost;
  cost.transformer.units = {{.operations = 5}, {.operations = 5}};
  cost.text_encoder.units = {{.operations = 3}, {.operations = 3}};
  cost.vae = {.encode_operations = 4,
              .encode_whole_operations = 3,
              .decode_operations = 12,
              .decode_whole_operations = 9,
              .strips = 2,
              .decode_tasks = 6};
  return cost;
}

struct Part {
  common::Range blocks;
  common::Range text_layers;
  double vae_percent = 0;
};

partition::Plan predicted(const std::vector<Part>& parts, const partition::Workload& workload,
                          const partition::ModelCost& cost, double speed = 1) {
  partition::Plan plan;
  std::vector<partition::DeviceInfo> devices;
  for (const Part& part : parts) {
    const int index = static_cast<int>(plan.stages.size());
    plan.stages.push_back({.stage = index,
                           .rank = index,
                           .host = {},
                           .device = {},
                           .blocks = part.blocks,
                           .text_layers = part.text_layers,
                           .vae_percent = part.vae_percent,
                           .predicted_busy_share = {}});
    devices.push_back({.rank = index, .host = {}, .name = {}, .operations_per_second = speed});
  }
  predict_times(plan, cost, devices, workload);
  return plan;
}

constexpr partition::Workload kTwoPictures{.requests = 2, .steps = 4, .branches = 2};
constexpr double kDenoiseOnTwo = 2 * 4 * 3 * 5;  // requests · steps · (stages + 1) · a block

TEST(PlanTimes, OneDeviceTakesTheSumOfAllWork) {
  const auto plan = predicted({{{0, 2}, {0, 2}, 100}}, kTwoPictures, cost());
  EXPECT_DOUBLE_EQ(*plan.predicted_seconds, 2 * 4 * 2 * 10 + 2 * 6 + 2 * (4 + 3) + 2 * (12 + 9));
  EXPECT_DOUBLE_EQ(*plan.predicted_step_seconds, 2 * 10);
  EXPECT_DOUBLE_EQ(*plan.stages[0].predicted_busy_share, 1);
}

TEST(PlanTimes, PromptsFollowOneAnotherThroughTheChain) {
  partition::ModelCost text = cost();
  text.vae = {};
  // The second prompt is in the first half while the first one is in the second.
  const auto plan = predicted({{{0, 1}, {0, 1}, 100}, {{1, 2}, {1, 2}, 0}}, kTwoPictures, text);
  EXPECT_DOUBLE_EQ(*plan.predicted_seconds, kDenoiseOnTwo + 3 * 3);
}

TEST(PlanTimes, TheFirstStageAddsTheMiddleBlocksOfAllPictures) {
  partition::ModelCost vae = cost();
  vae.text_encoder.units = {{}, {}};
  vae.vae.decode_operations = vae.vae.decode_whole_operations = 0;
  const auto plan = predicted({{{0, 1}, {0, 2}, 50}, {{1, 2}, {}, 50}}, kTwoPictures, vae);
  EXPECT_DOUBLE_EQ(*plan.predicted_seconds, kDenoiseOnTwo + 2 * (4 / 2 + 3));
}

TEST(PlanTimes, AStageWithoutTextLayersEncodesStripsMeanwhile) {
  partition::ModelCost encode = cost();
  encode.vae.decode_operations = encode.vae.decode_whole_operations = 0;
  const auto plan = predicted({{{0, 1}, {0, 2}, 0}, {{1, 2}, {}, 100}}, kTwoPictures, encode);
  EXPECT_DOUBLE_EQ(*plan.predicted_seconds, kDenoiseOnTwo + 2 * 6 + 2 * 3);
}

TEST(PlanTimes, ALayerThatTwoStagesDecodeHasItsMiddleBlockTwice) {
  partition::ModelCost decode = cost();
  decode.text_encoder.units = {{}, {}};
  decode.vae.encode_operations = decode.vae.encode_whole_operations = 0;
  // Three of six strips each: one layer and a half, so two middle blocks.
  const auto plan = predicted({{{0, 1}, {0, 2}, 50}, {{1, 2}, {}, 50}}, kTwoPictures, decode);
  EXPECT_DOUBLE_EQ(*plan.predicted_seconds, kDenoiseOnTwo + 2 * (6 + 2 * 3));
  // Whole strips are dealt: a stage with a tenth of six has one.
  const auto uneven = predicted({{{0, 1}, {0, 2}, 10}, {{1, 2}, {}, 90}}, kTwoPictures, decode);
  EXPECT_DOUBLE_EQ(*uneven.predicted_seconds, kDenoiseOnTwo + 2 * (10 + 3 * 3));
}

// Both branches share a pass, which takes as long as what has to come for it.
TEST(PlanTimes, CountTheWeightsThatStream) {
  partition::ModelCost streamed;
  streamed.transformer.units.assign(4, {.weight_bytes = 100, .operations = 5});
  streamed.text_encoder.units = {{}};
  streamed.vae = {.strips = 2, .decode_tasks = 6};
  partition::Plan plan;
  plan.most_in_pass = 2;
  plan.stages.push_back({.host = {},
                         .device = {},
                         .blocks = {0, 4},
                         .text_layers = {0, 1},
                         .vae_percent = 100,
                         .streamed_blocks = 3,
                         .memory_limit = {},
                         .predicted_busy_share = {}});
  std::vector<partition::DeviceInfo> devices{
      {.host = {}, .name = {}, .memory_limit = {}, .operations_per_second = 1, .load_bytes_per_second = 5}};
  predict_times(plan, streamed, devices, {.requests = 1, .steps = 4, .branches = 2});
  EXPECT_DOUBLE_EQ(*plan.predicted_step_seconds, 3 * 100 / 5);
  devices[0].load_bytes_per_second = 10;  // 30 seconds, behind 40 of computing
  predict_times(plan, streamed, devices, {.requests = 1, .steps = 4, .branches = 2});
  EXPECT_DOUBLE_EQ(*plan.predicted_step_seconds, 2 * 4 * 5);
  devices[0].load_bytes_per_second = 0;  // nobody knows how long they take
  plan.predicted_step_seconds.reset();
  predict_times(plan, streamed, devices, {.requests = 1, .steps = 4, .branches = 2});
  EXPECT_FALSE(plan.predicted_step_seconds);
}

TEST(PlanTimes, OfDevicesOfUnknownSpeedAreUnknown) {
  const auto plan = predicted({{{0, 2}, {0, 2}, 100}}, kTwoPictures, cost(), 0);
  EXPECT_FALSE(plan.predicted_seconds || plan.predicted_step_seconds || plan.stages[0].predicted_busy_share);
}

}  // namespace
}  // namespace layerpipe::runtime
