#include <gtest/gtest.h>

#include <cmath>

#include "plans.h"
#include "random_cases.h"

namespace layerpipe::partition {
namespace {

using testing::devices_with;
using testing::kGiB;
using testing::kMiB;
using testing::plain_model;

PartitionConfig explicitly(std::vector<ExplicitStage> stages) {
  return {.strategy = Strategy::kExplicit, .stages = std::move(stages)};
}

Plan plan_for(std::vector<ExplicitStage> stages, std::size_t devices = 2) {
  return make_plan(plain_model(60, kMiB, 28, kMiB), devices_with(std::vector<std::uint64_t>(devices, kGiB)),
                   {}, explicitly(std::move(stages)));
}

std::string refusal(std::vector<ExplicitStage> stages, std::size_t devices = 2) {
  return testing::refusal_of([&] { plan_for(std::move(stages), devices); });
}

TEST(Explicit, TakesTheStagesAsWrittenInTheirOrder) {
  const Plan plan =
      plan_for({{0, {0, 20}, {0, 28}, 33}, {2, {20, 59}, {28, 28}, 0}, {1, {59, 60}, {}, 67}}, 3);
  EXPECT_TRUE(plan.fits);
  EXPECT_EQ(plan.strategy, Strategy::kExplicit);
  EXPECT_EQ(plan.stages[0].rank, 0);
  EXPECT_EQ(plan.stages[0].blocks, (common::Range{0, 20}));
  EXPECT_EQ(plan.stages[0].text_layers, (common::Range{0, 28}));
  EXPECT_EQ(plan.stages[0].vae_percent, 33);
  EXPECT_EQ(plan.stages[1].rank, 2);
  EXPECT_EQ(plan.stages[1].blocks, (common::Range{20, 59}));
  EXPECT_EQ(plan.stages[2].rank, 1);
  EXPECT_EQ(plan.stages[2].vae_percent, 67);
  EXPECT_EQ(plan.stages[1].text_layers.size(), 0);
}

TEST(Explicit, MovesNothingWhenItDoesNotFit) {
  PartitionConfig config = explicitly({{0, {0, 30}, {}, 0}, {1, {30, 60}, {}, 100}});
  config.residency.transformer = Residency::kPhased;
  const Plan plan = make_plan(plain_model(60, 100 * kMiB), devices_with({2 * kGiB, 20 * kGiB}), {}, config);
  EXPECT_FALSE(plan.fits);
  EXPECT_EQ(plan.stages[0].blocks.size(), 30);
  EXPECT_EQ(plan.stages[0].missing_bytes, 3000 * kMiB - (2048 - 512) * kMiB);
}

constexpr common::Range kNone{};

TEST(Explicit, RefusesInWords) {
  const std::string once = " | Stages take their units in order, each unit once.";
  EXPECT_EQ(refusal({}),
            "an explicit partition needs stages, and there are none | Give them in a file of --partition; "
            "configs/ has examples.");
  EXPECT_EQ(
      refusal({{0, {0, 60}, {0, 28}, 100}, {2, {0, 0}, kNone, 0}}),
      "the partition has a stage for rank 2, but there are 2 ranks | Start as many ranks as the partition "
      "has stages, numbered from 0.");
  EXPECT_EQ(
      refusal({{1, {0, 60}, {0, 28}, 100}}, 1),
      "the partition has a stage for rank 1, but there is 1 rank | Start as many ranks as the partition "
      "has stages, numbered from 0.");
  EXPECT_EQ(refusal({{0, {0, 20}, {0, 28}, 100}, {0, {20, 60}, kNone, 0}}),
            "the partition has two stages for rank 0 | Give each rank one stage.");
  EXPECT_EQ(
      refusal({{1, {0, 20}, {0, 28}, 100}, {0, {20, 60}, kNone, 0}}),
      "the first stage is given to rank 1 | It belongs to rank 0, which reads the pictures and gathers the "
      "layers.");
  EXPECT_EQ(refusal({{0, {0, 60}, {0, 28}, 100}}),
            "the partition has no stage for rank 1 | Give each rank one stage, or start fewer ranks.");
  EXPECT_EQ(refusal({{0, {0, 60}, {0, 28}, 100}, {1, {60, 60}, kNone, 0}}),
            "rank 1 is given no block | Every stage needs at least one.");
  EXPECT_EQ(
      refusal({{0, {0, 20}, {0, 28}, 100}, {1, {20, 61}, kNone, 0}}),
      "rank 1 is given blocks 20 to 60; the transformer has blocks 0 to 59 | Take a range within 0-59.");
  EXPECT_EQ(
      refusal({{0, {-1, 20}, {0, 28}, 100}, {1, {20, 60}, kNone, 0}}),
      "rank 0 is given blocks -1 to 19; the transformer has blocks 0 to 59 | Take a range within 0-59.");
  EXPECT_EQ(refusal({{0, {0, 20}, {0, 28}, 100}, {1, {19, 60}, kNone, 0}}),
            "rank 1 is given blocks 19 to 59 after rank 0 had blocks 0 to 19" + once);
  EXPECT_EQ(refusal({{0, {20, 60}, {0, 28}, 100}, {1, {0, 20}, kNone, 0}}),
            "no stage is given blocks 0 to 19" + once);
  EXPECT_EQ(refusal({{0, {0, 20}, {0, 28}, 100}, {1, {21, 60}, kNone, 0}}),
            "no stage is given block 20" + once);
  EXPECT_EQ(
      refusal({{0, {0, 20}, {0, 28}, 100}, {1, {20, 59}, kNone, 0}}),
      "no stage is given block 59; the transformer has blocks 0 to 59 | Let the last range end with 59.");
  EXPECT_EQ(refusal({{0, {0, 20}, {0, 10}, 100}, {1, {20, 60}, {12, 28}, 0}}),
            "no stage is given text layers 10 to 11" + once);
  EXPECT_EQ(refusal({{0, {0, 20}, kNone, 100}, {1, {20, 60}, kNone, 0}}),
            "no stage is given text layers 0 to 27; the text encoder has text layers 0 to 27 | Let the last "
            "range end with 27.");
  EXPECT_EQ(refusal({{0, {0, 20}, {0, 28}, 50}, {1, {20, 60}, kNone, 49.5}}),
            "the stages' shares of the VAE add up to 99.5 % | Let them add up to 100 %.");
  EXPECT_EQ(refusal({{0, {0, 20}, {0, 28}, 101}, {1, {20, 60}, kNone, -1}}),
            "rank 0 is given 101 % of the VAE | Shares are from 0 to 100 %.");
  EXPECT_EQ(refusal({{0, {0, 20}, {0, 28}, 100}, {1, {20, 60}, kNone, std::nan("")}}),
            "rank 1 is given nan % of the VAE | Shares are from 0 to 100 %.");
}

// Where a file has what is wrong stands in front.
TEST(Explicit, NamesThePlaceInTheFile) {
  const StagePlaces first{.rank = "a:4:9", .blocks = "a:4:30", .text_layers = "a:4:50", .vae = "a:4:60"};
  const StagePlaces second{.rank = "a:5:9", .blocks = "a:5:30", .text_layers = "a:5:7", .vae = "a:5:7"};
  const auto place_of = [&](ExplicitStage one, ExplicitStage two, std::size_t devices = 2) {
    one.places = first;
    two.places = second;
    const std::string said = refusal({one, two}, devices);
    return said.substr(0, said.find(": "));
  };
  const ExplicitStage good{0, {0, 20}, {0, 28}, 100};
  EXPECT_EQ(place_of(good, {1, {20, 61}, kNone, 0}), "a:5:30");
  EXPECT_EQ(place_of(good, {1, {20, 59}, kNone, 0}), "a:5:30");
  EXPECT_EQ(place_of(good, {1, {19, 60}, kNone, 0}), "a:5:30");
  EXPECT_EQ(place_of(good, {1, {21, 60}, kNone, 0}), "a:5:30");
  EXPECT_EQ(place_of(good, {1, {20, 20}, kNone, 0}), "a:5:30");
  EXPECT_EQ(place_of({0, {0, 20}, {0, 27}, 100}, {1, {20, 60}, kNone, 0}), "a:4:50");
  EXPECT_EQ(place_of(good, {1, {20, 60}, kNone, 1}), "a:4:60");
  EXPECT_EQ(place_of(good, {1, {20, 60}, kNone, 101}), "a:5:7");
  EXPECT_EQ(place_of(good, {2, {20, 60}, kNone, 0}), "a:5:9");
  EXPECT_EQ(place_of(good, {0, {20, 60}, kNone, 0}), "a:5:9");
  EXPECT_EQ(place_of({1, {0, 20}, {0, 28}, 100}, {0, {20, 60}, kNone, 0}), "a:4:9");
  EXPECT_EQ(place_of(good, {1, {20, 60}, kNone, 0}, 3), "a:5:9");
}

TEST(Explicit, TakesRoundedShares) {
  EXPECT_TRUE(
      plan_for({{0, {0, 20}, {0, 28}, 33.33}, {1, {20, 40}, {28, 28}, 33.33}, {2, {40, 60}, kNone, 33.33}}, 3)
          .fits);
}

}  // namespace
}  // namespace layerpipe::partition
