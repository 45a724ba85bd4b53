#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "plans.h"
#include "random_cases.h"

namespace layerpipe::partition {
namespace {

using testing::blocks_of;
using testing::devices_with;
using testing::Draw;
using ::testing::ElementsAre;
using testing::kGiB;
using testing::plain_model;

PartitionConfig fastest() {
  return {.strategy = Strategy::kFastest, .reserve_bytes = 0};
}

TEST(Fastest, FollowsSpeedNotMemory) {
  std::vector<DeviceInfo> devices = devices_with({kGiB, 9 * kGiB, kGiB});
  devices[0].operations_per_second = 300;
  devices[1].operations_per_second = 100;
  devices[2].operations_per_second = 200;
  EXPECT_THAT(blocks_of(make_plan(plain_model(60, 1), devices, {}, fastest())), ElementsAre(30, 10, 20));
}

TEST(Fastest, TakesEqualSpeedsWhenNoneIsKnownAndTheSlowestForOneThatIsNot) {
  std::vector<DeviceInfo> devices = devices_with({kGiB, 9 * kGiB, kGiB});
  EXPECT_THAT(blocks_of(make_plan(plain_model(60, 1), devices, {}, fastest())), ElementsAre(20, 20, 20));
  devices[0].operations_per_second = 400;
  devices[1].operations_per_second = 100;
  EXPECT_THAT(blocks_of(make_plan(plain_model(60, 1), devices, {}, fastest())), ElementsAre(40, 10, 10));
}

TEST(Fastest, StaysWithinMemory) {
  std::vector<DeviceInfo> devices = devices_with({20, 1000});
  devices[0].operations_per_second = 1000;
  devices[1].operations_per_second = 1;
  const Plan plan = make_plan(plain_model(60, 1), devices, {}, fastest());
  EXPECT_TRUE(plan.fits);
  EXPECT_THAT(blocks_of(plan), ElementsAre(20, 40));
}

TEST(Fastest, PutsMoreBlocksFirstAmongEquals) {
  EXPECT_THAT(blocks_of(make_plan(plain_model(5, 1), devices_with({100, 100}), {}, fastest())),
              ElementsAre(3, 2));
}

TEST(Fastest, WillNotBeFasterThanALink) {
  std::vector<DeviceInfo> devices = devices_with({100, 100});
  devices[0].operations_per_second = devices[1].operations_per_second = 1;
  devices[0].link_bytes_per_second = 1;
  ModelCost cost = plain_model(6, 1);
  cost.transformer.boundary_bytes = 4;  // four seconds, in which the first stage can compute four blocks
  const Plan plan = make_plan(cost, devices, {}, fastest());
  EXPECT_THAT(blocks_of(plan), ElementsAre(4, 2));
}

// The slowest stage and the sum of all, from the definition.
struct Times {
  double slowest = 0;
  double sum = 0;
};

Times times_of(const ModelCost& cost, const std::vector<DeviceInfo>& devices,
               const std::vector<std::int64_t>& counts) {
  Times times;
  std::int64_t block = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    double operations = 0;
    if (i == 0) operations += cost.transformer.first.operations;
    if (i + 1 == counts.size()) operations += cost.transformer.last.operations;
    for (std::int64_t n = 0; n < counts[i]; ++n)
      operations += cost.transformer.units[static_cast<std::size_t>(block++)].operations;
    double seconds = operations / devices[i].operations_per_second;
    if (i + 1 < counts.size() && devices[i].link_bytes_per_second > 0) {
      seconds = std::max(
          seconds, static_cast<double>(cost.transformer.boundary_bytes) / devices[i].link_bytes_per_second);
    }
    times.slowest = std::max(times.slowest, seconds);
    times.sum += seconds;
  }
  return times;
}

bool fits(const ModelCost& cost, const Plan& plan, const std::vector<std::int64_t>& counts) {
  std::int64_t block = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    StagePlan stage = plan.stages[i];
    stage.blocks = {block, block + counts[i]};
    block = stage.blocks.end;
    const bool streams = plan.residency.transformer == Residency::kStreamed;
    stage.streamed_blocks = streams ? passing_units(counts[i], 0) : 0;
    const PhaseBytes peaks =
        predict_peaks(cost, stage, static_cast<std::int64_t>(counts.size()), held_by(plan));
    if (peaks.most() > stage.budget_bytes) return false;
  }
  return true;
}

TEST(Fastest, IsNeverWorseThanTheBestOfAllSplits) {
  Draw draw(2);
  int tight = 0;
  int fitting = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::int64_t stages = draw.count(1, 4);
    ModelCost cost = testing::random_model(draw, draw.count(stages, 9), draw.count(0, 4));
    cost.transformer.first.operations = static_cast<double>(draw.number(0, 3));
    cost.transformer.last.operations = static_cast<double>(draw.number(0, 3));
    const std::uint64_t total =
        testing::weights_of(cost) * draw.number(100, 400) / 100 + static_cast<std::uint64_t>(stages) * 1500;
    std::vector<DeviceInfo> devices = testing::random_devices(draw, stages, total);
    for (DeviceInfo& device : devices) {
      device.host = "node1";
      device.operations_per_second = static_cast<double>(draw.number(1, 8));
      if (draw.one_in(2)) device.link_bytes_per_second = static_cast<double>(draw.number(1, 30));
    }
    const Plan plan = make_plan(cost, devices, {.requests = 2}, fastest());
    testing::expect_sound(plan, cost, devices);
    if (::testing::Test::HasFatalFailure()) return;
    if (!plan.fits) continue;
    ++fitting;
    const Times found = times_of(cost, devices, blocks_of(plan));
    Times best{std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    for (const auto& counts :
         testing::all_splits(static_cast<std::int64_t>(cost.transformer.units.size()), stages, 1)) {
      if (!fits(cost, plan, counts)) {
        ++tight;
        continue;
      }
      const Times times = times_of(cost, devices, counts);
      if (times.slowest < best.slowest * (1 - 1e-12) ||
          (times.slowest <= best.slowest * (1 + 1e-12) && times.sum < best.sum)) {
        best = times;
      }
    }
    ASSERT_LE(found.slowest, best.slowest * (1 + 1e-12)) << "case " << i;
    ASSERT_LE(found.sum, best.sum * (1 + 1e-12)) << "case " << i;
  }
  EXPECT_GT(fitting, 1000);  // or the cases are not what they are meant to be
  EXPECT_GT(tight, 1000);
}

}  // namespace
}  // namespace layerpipe::partition
