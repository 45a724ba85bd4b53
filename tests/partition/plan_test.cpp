// What a plan says of places, with one group and with two.
#include "partition/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plans.h"
#include "random_cases.h"

namespace layerpipe::partition {
namespace {

using testing::blocks_of;
using testing::devices_with;
using testing::Draw;
using ::testing::ElementsAre;
using testing::kGiB;
using testing::kMiB;
using testing::plain_model;
using testing::refusal_of;
using testing::text_layers_of;

PartitionConfig groups(int count) {
  PartitionConfig config = testing::kNoReserve;
  config.groups = count;
  return config;
}

std::vector<double> vae_percents_of(const Plan& plan) {
  std::vector<double> percents;
  for (const StagePlan& stage : plan.stages) percents.push_back(stage.vae_percent);
  return percents;
}

TEST(Plan, KnowsItsTopology) {
  std::vector<DeviceInfo> devices = devices_with({kGiB, kGiB, kGiB, kGiB});
  devices[1].host = devices[3].host = "node2";
  const Plan plan = make_plan(plain_model(8, kMiB), devices, {}, {});
  EXPECT_EQ(plan.topology(), Topology({.stages = 4}, {0, 2, 1, 3}));
  EXPECT_TRUE(plan.stages[0].is_first());
  EXPECT_FALSE(plan.stages[1].is_first());
}

TEST(Plan, HasNoTopologyWhenItsStagesAreOutOfOrder) {
  const auto refusal = [](const std::vector<StagePlan>& stages) -> std::string {
    Plan plan;
    plan.stages = stages;
    try {
      plan.topology();
    } catch (const common::InternalError& error) {
      return error.what();
    }
    return "no refusal";
  };
  const std::string out_of_order = "a plan's stages are not in order";
  EXPECT_EQ(refusal({{.stage = 1, .rank = 0}, {.stage = 0, .rank = 1}}), out_of_order);
  EXPECT_EQ(refusal({{.stage = 0, .rank = 0}, {.stage = 0, .rank = 1}}), out_of_order);
  EXPECT_EQ(refusal({{.stage = 0, .rank = 0}, {.group = 2, .stage = 0, .rank = 1}}), out_of_order);
  EXPECT_EQ(refusal({{.stage = 0, .rank = 0}, {.stage = 1, .rank = 0}}),
            "a topology gives one rank two places");
  EXPECT_EQ(refusal({}), "a topology needs one rank for each place");
}

TEST(TwoGroups, EachHoldTheWholeTransformer) {
  const Plan plan = make_plan(plain_model(60, 100 * kMiB),
                              devices_with({24 * kGiB, 12 * kGiB, 16 * kGiB, 16 * kGiB}), {}, groups(2));
  EXPECT_TRUE(plan.fits);
  EXPECT_EQ(plan.topology(), Topology({.groups = 2, .stages = 2}, {0, 1, 2, 3}));
  EXPECT_EQ(plan.stages[2].group, 1);
  EXPECT_EQ(plan.stages[2].stage, 0);
  EXPECT_EQ(plan.stages[2].rank, 2);
  EXPECT_THAT(blocks_of(plan), ElementsAre(40, 20, 30, 30));
  EXPECT_EQ(plan.stages[1].blocks, (common::Range{40, 60}));
  EXPECT_EQ(plan.stages[2].blocks, (common::Range{0, 30}));
  EXPECT_EQ(plan.stages[3].blocks, (common::Range{30, 60}));
}

TEST(TwoGroups, ShareTextLayersAndStripsOverAllRanks) {
  const Plan plan = make_plan(plain_model(60, kMiB, 28, kMiB),
                              devices_with({3 * kGiB, kGiB, 2 * kGiB, 2 * kGiB}), {}, groups(2));
  EXPECT_THAT(text_layers_of(plan), ElementsAre(11, 3, 7, 7));
  EXPECT_EQ(plan.stages[2].text_layers, (common::Range{14, 21}));
  EXPECT_THAT(vae_percents_of(plan), ElementsAre(38, 12, 25, 25));
}

TEST(TwoGroups, CountTheEmbeddingAndTheHeadInEachGroup) {
  ModelCost cost = plain_model(2, 1);
  cost.transformer.first.weight_bytes = 10;
  cost.transformer.last.weight_bytes = 100;
  cost.vae.encode_whole_bytes = 1'000;
  cost.overhead.channel_bytes = 10'000;
  const Plan plan = make_plan(cost, devices_with({kGiB, kGiB, kGiB, kGiB}), {}, groups(2));
  EXPECT_EQ(plan.stages[0].predicted_peak_bytes.denoise, 10'011u);
  EXPECT_EQ(plan.stages[1].predicted_peak_bytes.denoise, 10'101u);
  EXPECT_EQ(plan.stages[2].predicted_peak_bytes.denoise, 10'011u);
  EXPECT_EQ(plan.stages[3].predicted_peak_bytes.denoise, 10'101u);
  // Whole pictures are seen once, by the first rank of all.
  EXPECT_EQ(plan.stages[0].predicted_peak_bytes.encode, 11'011u);
  EXPECT_EQ(plan.stages[2].predicted_peak_bytes.encode, 10'011u);
}

TEST(TwoGroups, NeedChannelsEvenWithOneStageEach) {
  ModelCost cost = plain_model(2, 1);
  cost.overhead.channel_bytes = 100;
  const Plan plan = make_plan(cost, devices_with({kGiB, kGiB}), {}, groups(2));
  EXPECT_THAT(blocks_of(plan), ElementsAre(2, 2));
  EXPECT_EQ(plan.stages[0].predicted_peak_bytes.denoise, 102u);
}

TEST(TwoGroups, MoveBlocksInsideTheirGroup) {
  ModelCost cost = plain_model(20, 10);
  cost.transformer.first.weight_bytes = 75;
  const Plan plan = make_plan(cost, devices_with({145, 200, 300, 300}), {}, groups(2));
  EXPECT_TRUE(plan.fits);
  EXPECT_THAT(blocks_of(plan), ElementsAre(7, 13, 10, 10));  // though the other group has more room
  EXPECT_THAT(plan.remarks,
              ElementsAre("Memory decides over proportion: rank 0 has 7 blocks in place of 8 and "
                          "rank 1 has 13 in place of 12."));
}

TEST(TwoGroups, MoveTextLayersToAnyGroup) {
  ModelCost cost = plain_model(4, 10, 8, 10);
  cost.transformer.first.weight_bytes = 35;
  const Plan plan = make_plan(cost, devices_with({60, 60, 200, 200}), {}, groups(2));
  EXPECT_TRUE(plan.fits);
  EXPECT_EQ(plan.residency.text_encoder, Residency::kResident);
  EXPECT_THAT(blocks_of(plan), ElementsAre(2, 2, 2, 2));
  EXPECT_THAT(text_layers_of(plan), ElementsAre(0, 1, 3, 4));
}

TEST(TwoGroups, KeepEnoughRequestsInFlightForTheirOwnBranches) {
  const auto in_flight = [](int count, std::int64_t branches) {
    return make_plan(plain_model(8, 1), devices_with({kGiB, kGiB, kGiB, kGiB}),
                     {.requests = 12, .branches = branches}, groups(count))
        .in_flight;
  };
  EXPECT_EQ(in_flight(1, 2), 3);  // 4 stages, 2 branches
  EXPECT_EQ(in_flight(2, 2), 2);  // 2 stages, a branch for each group
}

TEST(TwoGroups, TakeTheFastestSplitEach) {
  std::vector<DeviceInfo> devices = devices_with({kGiB, kGiB, kGiB, kGiB});
  const double speeds[] = {1, 3, 1, 1};
  for (std::size_t i = 0; i < devices.size(); ++i) devices[i].operations_per_second = speeds[i];
  PartitionConfig config = groups(2);
  config.strategy = Strategy::kFastest;
  EXPECT_THAT(blocks_of(make_plan(plain_model(8, 1), devices, {}, config)), ElementsAre(2, 6, 4, 4));
}

TEST(TwoGroups, CanBeWritten) {
  PartitionConfig config = groups(2);
  config.strategy = Strategy::kExplicit;
  config.stages = {{.rank = 0, .blocks = {0, 3}, .text_layers = {0, 1}, .vae_percent = 50},
                   {.rank = 3, .blocks = {3, 8}},
                   {.rank = 2, .blocks = {0, 4}, .text_layers = {1, 2}, .vae_percent = 50},
                   {.rank = 1, .blocks = {4, 8}}};
  const auto plan = [&] {
    return make_plan(plain_model(8, 1, 2, 1), devices_with({100, 100, 100, 100}), {}, config);
  };
  EXPECT_EQ(plan().topology(), Topology({.groups = 2, .stages = 2}, {0, 3, 2, 1}));
  EXPECT_THAT(blocks_of(plan()), ElementsAre(3, 5, 4, 4));
  config.stages[2].blocks = {1, 4};
  EXPECT_EQ(refusal_of(plan),
            "no stage is given block 0 | Stages take their units in order, each unit once.");
}

TEST(TwoGroups, RefuseWhatCannotBeDealt) {
  const auto refusal = [](std::int64_t blocks, const std::vector<std::uint64_t>& free,
                          std::int64_t branches) {
    return refusal_of(
        [&] { make_plan(plain_model(blocks, 1), devices_with(free), {.branches = branches}, groups(2)); });
  };
  EXPECT_EQ(refusal(8, {1, 1, 1}, 2),
            "3 ranks do not fall into 2 groups of as many stages each | Start a multiple of 2 ranks.");
  EXPECT_EQ(refusal(8, {1}, 2),
            "1 rank does not fall into 2 groups of as many stages each | Start a multiple of 2 ranks.");
  EXPECT_EQ(refusal(8, {1, 1}, 1),
            "a request has 1 branch for 2 groups of ranks: groups share the branches of the guidance | "
            "Use at most 1 group.");
  EXPECT_EQ(refusal(1, {1, 1, 1, 1}, 2),
            "the transformer has 1 block for 2 ranks of each group: rank 1 would have none | "
            "Start at most 2 ranks.");
}

// Whether any two splits of a group each fit, by trying them all with everything phased.
bool any_plan_fits(const ModelCost& cost, const Plan& plan) {
  const auto count = static_cast<std::int64_t>(plan.stages.size());
  const auto of_group =
      testing::all_splits(static_cast<std::int64_t>(cost.transformer.units.size()), count / 2, 1);
  const auto all_layers =
      testing::all_splits(static_cast<std::int64_t>(cost.text_encoder.units.size()), count, 0);
  const auto fits = [&](const std::vector<std::int64_t>& blocks, const std::vector<std::int64_t>& layers,
                        std::int64_t vae) {
    std::int64_t block = 0;
    std::int64_t layer = 0;
    for (std::size_t i = 0; i < plan.stages.size(); ++i) {
      StagePlan stage = plan.stages[i];
      if (stage.stage == 0) block = 0;
      stage.blocks = {block, block + blocks[i]};
      stage.text_layers = {layer, layer + layers[i]};
      stage.vae_percent = static_cast<std::int64_t>(i) == vae ? 100 : 0;
      block = stage.blocks.end;
      layer = stage.text_layers.end;
      if (predict_peaks(cost, stage, count, {plan.residency, 1, plan.modulation_rows}).most() >
          stage.budget_bytes)
        return false;
    }
    return true;
  };
  for (const auto& first : of_group) {
    for (const auto& second : of_group) {
      std::vector<std::int64_t> blocks = first;
      blocks.insert(blocks.end(), second.begin(), second.end());
      for (const auto& layers : all_layers) {
        for (std::int64_t vae = 0; vae < count; ++vae) {
          if (fits(blocks, layers, vae)) return true;
        }
      }
    }
  }
  return false;
}

TEST(TwoGroups, FindAPlanThatFitsWheneverThereIsOne) {
  Draw draw(7);
  int fitting = 0;
  int refused = 0;
  for (int i = 0; i < 600; ++i) {
    const std::int64_t stages = draw.count(1, 2);
    const ModelCost cost = testing::random_model(draw, draw.count(stages, 6), draw.count(0, 4));
    const std::uint64_t total = testing::weights_of(cost) * draw.number(120, 240) / 100 +
                                static_cast<std::uint64_t>(2 * stages) * draw.number(300, 1200);
    const std::vector<DeviceInfo> devices = testing::random_devices(draw, 2 * stages, total);
    PartitionConfig config = groups(2);
    config.residency = {Residency::kPhased, Residency::kPhased, Residency::kPhased};
    const Plan plan = make_plan(cost, devices, {.requests = 1, .steps = 3}, config);
    ASSERT_EQ(plan.fits, any_plan_fits(cost, plan)) << "case " << i;
    std::int64_t blocks = 0;
    std::int64_t layers = 0;
    for (const StagePlan& stage : plan.stages) {
      ASSERT_EQ(stage.blocks.begin, stage.stage == 0 ? 0 : blocks) << "case " << i;
      blocks = stage.blocks.end;
      if (stage.stage + 1 == stages) {
        ASSERT_EQ(blocks, static_cast<std::int64_t>(cost.transformer.units.size())) << "case " << i;
      }
      ASSERT_EQ(stage.text_layers.begin, layers) << "case " << i;
      layers = stage.text_layers.end;
    }
    ASSERT_EQ(layers, static_cast<std::int64_t>(cost.text_encoder.units.size())) << "case " << i;
    (plan.fits ? fitting : refused) += 1;
  }
  EXPECT_GT(fitting, 50);
  EXPECT_GT(refused, 50);
}

}  // namespace
}  // namespace layerpipe::partition
