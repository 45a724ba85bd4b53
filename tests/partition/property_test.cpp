// What holds for every plan, over thousands of random models and devices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "random_cases.h"

namespace layerpipe::partition {
namespace {

using testing::Draw;

bool mentions(const Plan& plan, const std::string& words) {
  return std::any_of(plan.remarks.begin(), plan.remarks.end(),
                     [&](const std::string& remark) { return remark.find(words) != std::string::npos; });
}

// `balanced` keeps within one block of the exact part, or says what decided over it.
void expect_proportion(const Plan& plan) {
  double total = 0;
  std::int64_t blocks = 0;
  for (const StagePlan& stage : plan.stages) {
    total += static_cast<double>(stage.free_bytes);
    blocks += stage.blocks.size();
  }
  bool is_off = false;
  for (const StagePlan& stage : plan.stages) {
    const double part = total == 0 ? 1.0 / static_cast<double>(plan.stages.size())
                                   : static_cast<double>(stage.free_bytes) / total;
    is_off |= std::abs(static_cast<double>(stage.blocks.size()) - part * static_cast<double>(blocks)) >= 1.0;
  }
  if (is_off) {
    ASSERT_TRUE(mentions(plan, "Memory decides over proportion") || mentions(plan, "every stage needs one"));
  }
}

TEST(Properties, EveryPlanIsSound) {
  Draw draw(4);
  int fitting = 0;
  int moved = 0;
  for (int i = 0; i < 6000; ++i) {
    const std::int64_t stages = draw.count(1, 12);
    const ModelCost cost = testing::random_model(draw, draw.count(stages, 70), draw.count(0, 30));
    const std::uint64_t total = testing::weights_of(cost) * draw.number(50, 200) / 100 +
                                static_cast<std::uint64_t>(stages) * draw.number(0, 2000);
    const std::vector<DeviceInfo> devices = testing::random_devices(draw, stages, total);
    const Workload workload{.requests = draw.count(1, 20),
                            .steps = draw.count(1, 5),
                            .branches = draw.count(1, 2),
                            .schedules = draw.count(1, 3),
                            .timesteps = draw.count(0, 40)};
    PartitionConfig config{.reserve_bytes = draw.number(0, 50)};
    if (draw.one_in(3)) config.strategy = Strategy::kFastest;
    if (draw.one_in(4)) config.residency.transformer = Residency::kResident;
    if (draw.one_in(4)) config.residency.text_encoder = Residency::kPhased;
    if (draw.one_in(4)) config.residency.transformer = Residency::kStreamed;
    const Plan plan = make_plan(cost, devices, workload, config);
    testing::expect_sound(plan, cost, devices);
    if (config.strategy == Strategy::kBalanced) expect_proportion(plan);
    ASSERT_EQ(plan.fits, !mentions(plan, "missing"));
    const Plan again = make_plan(cost, devices, workload, config);
    ASSERT_EQ(again.remarks, plan.remarks);
    ASSERT_EQ(again.in_flight, plan.in_flight);
    for (std::size_t k = 0; k < plan.stages.size(); ++k) {
      ASSERT_EQ(again.stages[k].blocks, plan.stages[k].blocks);
      ASSERT_EQ(again.stages[k].text_layers, plan.stages[k].text_layers);
      ASSERT_EQ(again.stages[k].vae_percent, plan.stages[k].vae_percent);
    }
    if (HasFatalFailure()) FAIL() << "case " << i;
    fitting += plan.fits;
    moved += plan.fits && mentions(plan, "Memory decides over proportion");
  }
  RecordProperty("fitting", fitting);
  RecordProperty("moved", moved);
  EXPECT_GT(fitting, 1000);
  EXPECT_GT(moved, 300);
}

// Whether any split at all fits, by trying each with one request in flight and everything phased.
bool any_split_fits(const ModelCost& cost, const Plan& plan, const PerComponent<Residency>& residency) {
  const auto stages = static_cast<std::int64_t>(plan.stages.size());
  const auto all_blocks =
      testing::all_splits(static_cast<std::int64_t>(cost.transformer.units.size()), stages, 1);
  const auto all_layers =
      testing::all_splits(static_cast<std::int64_t>(cost.text_encoder.units.size()), stages, 0);
  for (const auto& blocks : all_blocks) {
    for (const auto& layers : all_layers) {
      for (std::int64_t vae = 0; vae < stages; ++vae) {
        bool fits = true;
        std::int64_t block = 0;
        std::int64_t layer = 0;
        for (std::size_t i = 0; i < plan.stages.size() && fits; ++i) {
          StagePlan stage = plan.stages[i];
          stage.blocks = {block, block + blocks[i]};
          stage.text_layers = {layer, layer + layers[i]};
          stage.vae_percent = static_cast<std::int64_t>(i) == vae ? 100 : 0;
          const auto streamed = [&](Residency of, std::int64_t units) {
            return of == Residency::kStreamed ? passing_units(units, 0) : 0;
          };
          stage.streamed_blocks = streamed(residency.transformer, blocks[i]);
          stage.streamed_text_layers = streamed(residency.text_encoder, layers[i]);
          block = stage.blocks.end;
          layer = stage.text_layers.end;
          // Both branches share a pass where a stage is alone.
          const std::int64_t in_pass = residency.transformer == Residency::kStreamed && stages == 1 ? 2 : 1;
          fits = predict_peaks(cost, stage, stages, {residency, 1, plan.modulation_rows, in_pass}).most() <=
                 stage.budget_bytes;
        }
        if (fits) return true;
      }
    }
  }
  return false;
}

TEST(Properties, FindsASplitThatFitsWheneverThereIsOne) {
  Draw draw(5);
  int fitting = 0;
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::int64_t stages = draw.count(1, 4);
    const ModelCost cost = testing::random_model(draw, draw.count(stages, 8), draw.count(0, 5));
    const std::uint64_t total = testing::weights_of(cost) * draw.number(90, 150) / 100 +
                                static_cast<std::uint64_t>(stages) * draw.number(300, 1200);
    const std::vector<DeviceInfo> devices = testing::random_devices(draw, stages, total);
    PartitionConfig config{.reserve_bytes = 0};
    PerComponent<Residency> residency;
    for (const Component component : kComponents) {
      residency[component] = draw.one_in(2) ? Residency::kResident : Residency::kPhased;
      if (component != Component::kVae && draw.one_in(4)) residency[component] = Residency::kStreamed;
      config.residency[component] = residency[component];
    }
    const Plan plan = make_plan(cost, devices, {.requests = 3, .steps = 3, .schedules = 2}, config);
    ASSERT_EQ(plan.fits, any_split_fits(cost, plan, residency)) << "case " << i;
    (plan.fits ? fitting : refused) += 1;
  }
  EXPECT_GT(fitting, 500);
  EXPECT_GT(refused, 500);
}

// Costs in MiB in place of bytes, as they are in earnest.
ModelCost in_mib(ModelCost cost) {
  const auto scale = [](std::uint64_t& bytes) { bytes *= testing::kMiB; };
  for (ChainCost* chain : {&cost.transformer, &cost.text_encoder}) {
    for (UnitCost& unit : chain->units) scale(unit.weight_bytes);
    for (std::uint64_t* bytes : {&chain->first.weight_bytes, &chain->last.weight_bytes,
                                 &chain->conversion_bytes, &chain->workspace_bytes, &chain->boundary_bytes,
                                 &chain->state_bytes, &chain->first_state_bytes, &chain->last_state_bytes})
      scale(*bytes);
  }
  TableCost& table = cost.transformer.table;
  for (std::uint64_t* bytes :
       {&table.unit_row_bytes, &table.last_row_bytes, &table.rounding_bytes, &table.making_bytes,
        &table.making_row_bytes, &cost.vae.encoder_weight_bytes, &cost.vae.decoder_weight_bytes,
        &cost.vae.encode_bytes, &cost.vae.encode_whole_bytes, &cost.vae.decode_bytes,
        &cost.overhead.context_bytes, &cost.overhead.channel_bytes})
    scale(*bytes);
  return cost;
}

// What is said to be enough is, and a byte less is not: for equal devices, and as a limit of unequal ones.
TEST(Properties, TheLeastThatFitsFitsAndAByteLessDoesNot) {
  Draw draw(7);
  int streamed = 0;
  int without_limit = 0;
  for (int i = 0; i < 250; ++i) {
    const std::int64_t stages = draw.count(1, 4);
    const ModelCost cost = in_mib(testing::random_model(draw, draw.count(stages, 24), draw.count(0, 8)));
    const Workload workload{.requests = draw.count(1, 6),
                            .steps = draw.count(1, 5),
                            .branches = draw.count(1, 2),
                            .schedules = draw.count(1, 3)};
    PartitionConfig config{.reserve_bytes = draw.number(0, 50) * testing::kMiB};
    constexpr std::optional<Residency> kResidencies[] = {std::nullopt, Residency::kResident,
                                                         Residency::kPhased, Residency::kStreamed};
    config.residency = for_all(kResidencies[i % 4]);
    if (draw.one_in(3)) config.strategy = Strategy::kFastest;
    if (draw.one_in(3)) config.in_flight = draw.count(1, 8);
    std::vector<DeviceInfo> devices =
        testing::random_devices(draw, stages, testing::weights_of(cost) * draw.number(20, 200) / 100);
    const auto free = free_bytes_that_fit(cost, devices, workload, config);
    ASSERT_TRUE(free);
    const auto fits_with = [&](std::uint64_t bytes) {
      std::vector<DeviceInfo> equal = devices;
      for (DeviceInfo& device : equal) device.free_bytes = bytes;
      const Plan plan = make_plan(cost, equal, workload, config);
      streamed += plan.fits && plan.streams();
      return plan.fits;
    };
    ASSERT_TRUE(fits_with(*free)) << "case " << i;
    ASSERT_FALSE(fits_with(*free - 1)) << "case " << i;
    const auto limit = limit_that_fits(cost, devices, workload, config);
    ASSERT_EQ(limit.has_value(), make_plan(cost, devices, workload, config).fits) << "case " << i;
    without_limit += !limit;
    if (!limit) continue;
    config.memory_limit_bytes = *limit;
    ASSERT_TRUE(make_plan(cost, devices, workload, config).fits) << "case " << i;
    config.memory_limit_bytes = *limit - 1;
    ASSERT_FALSE(make_plan(cost, devices, workload, config).fits) << "case " << i;
  }
  EXPECT_GT(streamed, 50);
  EXPECT_GT(without_limit, 50);
}

TEST(Properties, MoreMemoryNeverHurts) {
  Draw draw(6);
  for (int i = 0; i < 300; ++i) {
    const std::int64_t stages = draw.count(1, 6);
    const ModelCost cost = testing::random_model(draw, draw.count(stages, 30), draw.count(0, 20));
    bool fitted = false;
    for (std::uint64_t percent = 60; percent <= 300; percent += 20) {
      const auto each = testing::weights_of(cost) * percent / 100 / static_cast<std::uint64_t>(stages) + 600;
      const Plan plan = make_plan(
          cost, testing::devices_with(std::vector<std::uint64_t>(static_cast<std::size_t>(stages), each)),
          {.requests = 5, .steps = 3, .schedules = 4}, {.reserve_bytes = 0});
      ASSERT_TRUE(plan.fits || !fitted) << "case " << i << ", " << percent << " %";
      fitted = plan.fits;
    }
  }
}

}  // namespace
}  // namespace layerpipe::partition
