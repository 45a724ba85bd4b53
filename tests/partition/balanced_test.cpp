#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plans.h"
#include "random_cases.h"

namespace layerpipe::partition {
namespace {

using testing::blocks_of;
using testing::devices_with;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kGiB;
using testing::kMiB;
using testing::kNoReserve;
using testing::plain_model;
using testing::text_layers_of;

TEST(Balanced, FollowsFreeMemory) {
  const ModelCost cost = plain_model(60, 650 * kMiB);
  const Plan four = make_plan(cost, devices_with({24 * kGiB, 24 * kGiB, 12 * kGiB, 12 * kGiB}), {}, {});
  EXPECT_TRUE(four.fits);
  EXPECT_THAT(blocks_of(four), ElementsAre(20, 20, 10, 10));
  EXPECT_THAT(four.remarks, IsEmpty());
  const Plan two = make_plan(plain_model(60, 100 * kMiB), devices_with({10 * kGiB, 11 * kGiB}), {}, {});
  EXPECT_THAT(blocks_of(two), ElementsAre(29, 31));
}

TEST(Balanced, DealsOutTextLayersAndStripsInTheSameProportion) {
  const Plan plan = make_plan(plain_model(60, kMiB, 28, kMiB), devices_with({3 * kGiB, kGiB}), {}, {});
  EXPECT_THAT(text_layers_of(plan), ElementsAre(21, 7));
  EXPECT_EQ(plan.stages[0].vae_percent, 75);
  EXPECT_EQ(plan.stages[1].vae_percent, 25);
}

TEST(Balanced, KeepsHostsTogetherInTheOrderOfTheirFirstDevice) {
  std::vector<DeviceInfo> devices = devices_with({kGiB, kGiB, kGiB, kGiB});
  devices[1].host = devices[3].host = "node2";
  const Plan plan = make_plan(plain_model(5, kMiB), devices, {}, {});
  std::vector<int> ranks;
  for (const StagePlan& stage : plan.stages) ranks.push_back(stage.rank);
  EXPECT_THAT(ranks, ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(blocks_of(plan), ElementsAre(2, 1, 1, 1));  // the fifth is for the lowest rank
  ASSERT_EQ(plan.hosts.size(), 2u);
  EXPECT_THAT(plan.hosts[1].ranks, ElementsAre(1, 3));
}

TEST(Balanced, TheLimitCountsAsWhatIsFree) {
  PartitionConfig config = kNoReserve;
  config.memory_limit_bytes = 2 * kGiB;
  const Plan plan = make_plan(plain_model(60, kMiB), devices_with({24 * kGiB, kGiB}), {}, config);
  EXPECT_THAT(blocks_of(plan), ElementsAre(40, 20));
  EXPECT_EQ(plan.stages[0].budget_bytes, 2 * kGiB);
}

TEST(Balanced, MovesTextLayersFirst) {
  // Equal parts would take 30 + 14 units on each device; the first one also embeds.
  ModelCost cost = plain_model(60, 10, 28, 10);
  cost.transformer.first.weight_bytes = 30;
  const Plan plan = make_plan(cost, devices_with({460, 460}), {}, kNoReserve);
  EXPECT_TRUE(plan.fits);
  EXPECT_THAT(blocks_of(plan), ElementsAre(30, 30));
  EXPECT_THAT(text_layers_of(plan), ElementsAre(13, 15));
  EXPECT_THAT(plan.remarks,
              ElementsAre("Memory decides over proportion: rank 0 has 13 text layers in place of 14 "
                          "and rank 1 has 15 in place of 14."));
}

TEST(Balanced, MovesBlocksWhenNoTextLayerIsLeftAndSaysSo) {
  ModelCost cost = plain_model(60, 10);
  cost.transformer.first.weight_bytes = 25;
  const Plan plan = make_plan(cost, devices_with({300, 350}), {}, kNoReserve);
  EXPECT_TRUE(plan.fits);
  EXPECT_THAT(blocks_of(plan), ElementsAre(27, 33));
  EXPECT_THAT(plan.remarks, ElementsAre("Memory decides over proportion: rank 0 has 27 blocks in place of 28 "
                                        "and rank 1 has 33 in place of 32."));
}

TEST(Balanced, MovesTheVaeWhenNothingElseHelps) {
  ModelCost cost = plain_model(2, 10);
  cost.vae.decoder_weight_bytes = 50;
  const Plan plan = make_plan(cost, devices_with({100, 55}), {}, kNoReserve);
  EXPECT_TRUE(plan.fits);
  EXPECT_EQ(plan.stages[0].vae_percent, 100);
  EXPECT_THAT(plan.remarks,
              ElementsAre("Rank 1 takes no part of the VAE: its weights do not fit beside the rest."));
}

TEST(Balanced, GivesEveryStageABlockAndSaysWhereThatIsMoreThanItsPart) {
  const Plan plan = make_plan(plain_model(10, 1), devices_with({1000, 3, 1000, 3}), {}, kNoReserve);
  EXPECT_THAT(blocks_of(plan), ElementsAre(4, 1, 4, 1));
  EXPECT_THAT(plan.remarks,
              ElementsAre("Ranks 1 and 3 have a block each though their memory is too small a part "
                          "for one: every stage needs one."));
}

TEST(Balanced, FillsStagesToTheBrimWhenMovingOneAtATimeComesToNoEnd) {
  // Six units of 10 and a head of 25 on the last stage: only 4 + 2 fits, with 5 bytes to spare in all.
  ModelCost cost = plain_model(6, 10);
  cost.transformer.last.weight_bytes = 25;
  const Plan plan = make_plan(cost, devices_with({40, 50}), {}, kNoReserve);
  EXPECT_TRUE(plan.fits);
  EXPECT_THAT(blocks_of(plan), ElementsAre(4, 2));
}

}  // namespace
}  // namespace layerpipe::partition
