#include "partition/apportion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "common/errors.h"
#include "random_cases.h"

namespace layerpipe::partition {
namespace {

using ::testing::ElementsAre;

std::vector<Claim> claims(const std::vector<std::uint64_t>& weights) {
  std::vector<Claim> result;
  for (const std::uint64_t weight : weights) result.push_back({weight, static_cast<int>(result.size())});
  return result;
}

TEST(Apportion, GivesThePartsOfTheIssue) {
  EXPECT_THAT(apportion(60, claims({24, 24, 12, 12})), ElementsAre(20, 20, 10, 10));
  EXPECT_THAT(apportion(60, claims({10, 11})), ElementsAre(29, 31));
}

TEST(Apportion, GivesWhatIsLeftToTheLargestRemainderAndAmongEqualsToTheLowerOrder) {
  EXPECT_THAT(apportion(1, claims({1, 1, 1})), ElementsAre(1, 0, 0));
  EXPECT_THAT(apportion(2, claims({1, 3, 1})), ElementsAre(1, 1, 0));
  const std::vector<Claim> turned{{1, 2}, {1, 1}, {1, 0}};
  EXPECT_THAT(apportion(4, turned), ElementsAre(1, 1, 2));
}

TEST(Apportion, DealsEquallyWhenNobodyHasAnything) {
  EXPECT_THAT(apportion(7, claims({0, 0, 0})), ElementsAre(3, 2, 2));
}

TEST(Apportion, IsExactForTheLargestNumbers) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  EXPECT_THAT(apportion(60, claims({kMost, kMost, kMost})), ElementsAre(20, 20, 20));
  EXPECT_THAT(apportion(60, claims({kMost, 1})), ElementsAre(60, 0));
}

TEST(Apportion, StaysWithinOneUnitOfTheExactPart) {
  testing::Draw draw(1);
  for (int i = 0; i < 5000; ++i) {
    std::vector<std::uint64_t> weights;
    for (std::int64_t n = draw.count(1, 20); n > 0; --n) weights.push_back(draw.number(0, 1000));
    const double total =
        static_cast<double>(std::accumulate(weights.begin(), weights.end(), std::uint64_t{0}));
    if (total == 0) continue;
    const std::int64_t units = draw.count(0, 100);
    const std::vector<std::int64_t> parts = apportion(units, claims(weights));
    ASSERT_EQ(std::accumulate(parts.begin(), parts.end(), std::int64_t{0}), units);
    for (std::size_t k = 0; k < parts.size(); ++k) {
      const double exact = static_cast<double>(units) * static_cast<double>(weights[k]) / total;
      ASSERT_LT(std::abs(static_cast<double>(parts[k]) - exact), 1.0);
    }
  }
}

TEST(Apportion, AtLeastOneTakesFromThoseThatHaveMore) {
  EXPECT_THAT(apportion_at_least_one(10, claims({1000, 1, 1})), ElementsAre(8, 1, 1));
  EXPECT_THAT(apportion_at_least_one(3, claims({1000, 1, 1})), ElementsAre(1, 1, 1));
  EXPECT_THAT(apportion_at_least_one(60, claims({24, 24, 12, 12})), ElementsAre(20, 20, 10, 10));
  EXPECT_THROW(apportion_at_least_one(2, claims({1, 1, 1})), common::InternalError);
}

}  // namespace
}  // namespace layerpipe::partition
