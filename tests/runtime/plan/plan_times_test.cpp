// What a plan says it takes, in cases whose answer is known. Devices do one operation in a second.
#include "runtime/plan/plan_times.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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

// A stage, or two, with four blocks each, of which three pass: 300 bytes come in a pass, from 600 of files.
// Microbatches take 20 seconds of a stage.
class Streaming : public ::testing::Test {
 protected:
  explicit Streaming(int stages = 1) {
    cost_.transformer.units.assign(static_cast<std::size_t>(4 * stages),
                                   {.operations = 5, .moved_bytes = 100, .file_bytes = 200});
    cost_.text_encoder.units.assign(4, {.operations = 2, .moved_bytes = 10, .file_bytes = 20});
    cost_.vae = {.strips = 2, .decode_tasks = 6};
    partition::HostPlan host{.host = "node1", .ranks = {}};
    for (int stage = 0; stage < stages; ++stage) {
      plan_.stages.push_back({.stage = stage,
                              .rank = stage,
                              .host = "node1",
                              .device = {},
                              .blocks = {4 * stage, 4 * stage + 4},
                              .text_layers = stage == 0 ? common::Range{0, 4} : common::Range{4, 4},
                              .vae_percent = stage == 0 ? 100.0 : 0.0,
                              .streamed_blocks = 3,
                              .memory_limit = {},
                              .predicted_busy_share = {}});
      devices_.push_back({.rank = stage,
                          .host = "node1",
                          .name = {},
                          .memory_limit = {},
                          .operations_per_second = 1,
                          .load_bytes_per_second = 10});
      host.ranks.push_back(stage);
    }
    host.cache_bytes = static_cast<std::uint64_t>(600 * stages);
    plan_.fits = true;
    plan_.hosts = {host};
    plan_.in_flight = stages;
    plan_.most_in_pass = 2;
  }

  void predict(std::int64_t requests = 1) {
    plan_.predicted_step_seconds.reset();
    plan_.predicted_seconds.reset();
    plan_.remarks.clear();
    for (partition::StagePlan& stage : plan_.stages) stage.slowdown.reset();
    predict_times(plan_, cost_, devices_, {.requests = requests, .steps = 4, .branches = 2});
  }
  const partition::StagePlan& stage(std::size_t index = 0) const { return plan_.stages[index]; }

  partition::ModelCost cost_;
  partition::Plan plan_;
  std::vector<partition::DeviceInfo> devices_;
};

// Both branches share a pass, which takes as long as what has to come for it.
TEST_F(Streaming, TakesAsLongAsItsWeightsTakeToCome) {
  devices_[0].load_bytes_per_second = 5;
  predict();
  EXPECT_DOUBLE_EQ(*plan_.predicted_step_seconds, 3 * 100 / 5);
  EXPECT_DOUBLE_EQ(*stage().slowdown, 60.0 / 40);
  devices_[0].load_bytes_per_second = 10;  // 30 seconds, behind 40 of computing
  predict();
  EXPECT_DOUBLE_EQ(*plan_.predicted_step_seconds, 2 * 4 * 5);
  EXPECT_DOUBLE_EQ(*stage().slowdown, 1);
  EXPECT_EQ(stage().bytes_per_step, 300u);
  EXPECT_DOUBLE_EQ(*stage().bus_bytes_per_second_needed, 300.0 / 40);
  devices_[0].load_bytes_per_second = *stage().bus_bytes_per_second_needed;  // what is needed suffices
  predict();
  EXPECT_DOUBLE_EQ(*stage().slowdown, 1);
  devices_[0].load_bytes_per_second *= 0.99;
  predict();
  EXPECT_GT(*stage().slowdown, 1.009);
}

TEST_F(Streaming, IsUnknownWhereASpeedIs) {
  devices_[0].load_bytes_per_second = 0;  // nobody knows how long they take
  predict();
  EXPECT_FALSE(plan_.predicted_step_seconds || stage().slowdown);
  EXPECT_DOUBLE_EQ(*stage().bus_bytes_per_second_needed, 300.0 / 40);
  devices_[0].operations_per_second = 0;
  plan_.stages[0].bus_bytes_per_second_needed.reset();
  predict();
  EXPECT_FALSE(stage().bus_bytes_per_second_needed || stage().slowdown);
  EXPECT_EQ(stage().bytes_per_step, 300u);
  plan_.stages[0].streamed_blocks = 0;
  predict();
  EXPECT_EQ(stage().bytes_per_step, 0u);
  EXPECT_EQ(stage().bus_bytes_per_second_needed, 0);
  EXPECT_EQ(stage().slowdown, 1);
}

// Without guidance a picture has one microbatch in a pass; two pictures at a time share one.
TEST_F(Streaming, ComesLessOftenWhereMoreShareAPass) {
  plan_.most_in_pass = 1;
  predict();
  EXPECT_EQ(stage().bytes_per_step, 600u);
  EXPECT_DOUBLE_EQ(*stage().bus_bytes_per_second_needed, 300.0 / 20);
  EXPECT_DOUBLE_EQ(*stage().slowdown, 30.0 / 20);
  plan_.in_flight = 3;
  plan_.most_in_pass = 6;
  predict(3);
  EXPECT_EQ(stage().bytes_per_step, 100u);
  EXPECT_DOUBLE_EQ(*stage().bus_bytes_per_second_needed, 300.0 / 120);
  predict(1);  // one picture has them to itself
  EXPECT_EQ(stage().bytes_per_step, 300u);
  // Three pictures in passes of four and two: the smaller one needs its weights as quickly.
  plan_.most_in_pass = 4;
  predict(3);
  EXPECT_EQ(stage().bytes_per_step, 200u);
  EXPECT_DOUBLE_EQ(*stage().bus_bytes_per_second_needed, 300.0 / 40);
}

TEST_F(Streaming, CountsTextLayersForEachPrompt) {
  predict();
  const double before = *plan_.predicted_seconds;
  plan_.stages[0].streamed_text_layers = 3;  // 3 seconds in place of 8 of computing: nothing
  predict();
  EXPECT_DOUBLE_EQ(*plan_.predicted_seconds, before);
  for (partition::UnitCost& unit : cost_.text_encoder.units) unit.moved_bytes = 50;  // 15 seconds
  predict();
  EXPECT_DOUBLE_EQ(*plan_.predicted_seconds, before + 2 * (15 - 8));
  EXPECT_DOUBLE_EQ(*stage().slowdown, 1);  // of denoising
  plan_.stages[0].streamed_blocks = 0;
  devices_[0].load_bytes_per_second = 0;
  predict();
  EXPECT_FALSE(plan_.predicted_seconds);
}

class StreamingOverTwo : public Streaming {
 protected:
  StreamingOverTwo() : Streaming(2) {}
};

// Each stage works on one picture's branches while the other has the other's.
TEST_F(StreamingOverTwo, HasAPassOfItsOwnOnEachStage) {
  devices_[1].load_bytes_per_second = 5;
  predict(2);
  for (const std::size_t i : {0, 1}) {
    EXPECT_EQ(stage(i).bytes_per_step, 300u);
    EXPECT_DOUBLE_EQ(*stage(i).bus_bytes_per_second_needed, 300.0 / 40);
  }
  EXPECT_DOUBLE_EQ(*stage(0).slowdown, 1);
  EXPECT_DOUBLE_EQ(*stage(1).slowdown, 60.0 / 40);
  predict(1);  // a branch is a pass, so that both stages work
  EXPECT_EQ(stage(0).bytes_per_step, 600u);
  EXPECT_DOUBLE_EQ(*stage(0).slowdown, 30.0 / 20);
}

// Both ranks read the files of their own blocks, and the host keeps no copies: 12 GB a pass.
TEST_F(StreamingOverTwo, WaitsForTheDiskWhereFilesDoNotStayInMemory) {
  constexpr std::uint64_t kGB = 1'000'000'000;
  for (partition::UnitCost& unit : cost_.transformer.units) unit.file_bytes = 2 * kGB;
  plan_.hosts[0].cache_bytes = 12 * kGB;
  plan_.hosts[0].predicted_bytes = kGB;
  plan_.hosts[0].budget_bytes = 13 * kGB;
  predict(2);
  EXPECT_EQ(plan_.remarks, std::vector<std::string>{});
  EXPECT_DOUBLE_EQ(*stage(0).slowdown, 1);
  plan_.hosts[0].budget_bytes = 13 * kGB - 1;
  predict(2);
  EXPECT_FALSE(plan_.predicted_seconds || stage(0).slowdown);
  EXPECT_EQ(
      plan_.remarks,
      std::vector<std::string>{
          "Host node1 has 12.11 GiB of memory free, of which the program takes 953.67 MiB: the 11.18 GiB "
          "of files whose weights stream do not stay there beside it. The speed of the disk decides, "
          "which is not known."});
  plan_.hosts[0].memory_limit = "a cgroup limits the memory to 14.00 GiB (/job)";
  for (partition::DeviceInfo& device : devices_) device.disk_bytes_per_second = 0.12 * kGB;
  predict(2);
  EXPECT_DOUBLE_EQ(*stage(0).slowdown, 100.0 / 40);
  EXPECT_GT(*plan_.predicted_seconds, 4 * 2 * 100);
  devices_[1].load_bytes_per_second = 0;  // could not be measured: the disk decides all the same
  predict(2);
  EXPECT_DOUBLE_EQ(*stage(1).slowdown, 100.0 / 40);
  EXPECT_EQ(
      plan_.remarks,
      std::vector<std::string>{
          "Host node1 has 12.11 GiB of memory free (a cgroup limits the memory to 14.00 GiB (/job)), of "
          "which the program takes 953.67 MiB: the 11.18 GiB of files whose weights stream do not stay "
          "there beside it. The speed of the disk decides; at 0.12GB/s a step takes 1 min 40 s at least."});
}

TEST(PlanTimes, OfDevicesOfUnknownSpeedAreUnknown) {
  const auto plan = predicted({{{0, 2}, {0, 2}, 100}}, kTwoPictures, cost(), 0);
  EXPECT_FALSE(plan.predicted_seconds || plan.predicted_step_seconds || plan.stages[0].predicted_busy_share);
}

}  // namespace
}  // namespace layerpipe::runtime
