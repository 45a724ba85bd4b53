#include "runtime/schedule/shares.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace layerpipe::runtime {
namespace {

using common::Range;

TEST(Shares, AreDealtInOrder) {
  EXPECT_EQ(deal(12, std::vector{50.0, 25.0, 25.0}), (std::vector<Range>{{0, 6}, {6, 9}, {9, 12}}));
  EXPECT_EQ(deal(3, std::vector{25.0, 25.0, 25.0, 25.0}),
            (std::vector<Range>{{0, 1}, {1, 2}, {2, 2}, {2, 3}}));
  EXPECT_EQ(deal(5, std::vector{0.0, 100.0, 0.0}), (std::vector<Range>{{0, 0}, {0, 5}, {5, 5}}));
  EXPECT_EQ(deal(0, std::vector{1.0}), (std::vector<Range>{{0, 0}}));
}

TEST(Shares, CoverEverythingAndGiveNothingToThoseWithoutAShare) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::vector<double> shares(1 + random() % 9);
    for (double& share : shares) share = random() % 3 == 0 ? 0.0 : static_cast<double>(random() % 1000) / 7;
    if (std::accumulate(shares.begin(), shares.end(), 0.0) <= 0) continue;
    const auto count = static_cast<std::int64_t>(random() % 50);
    const auto ranges = deal(count, shares);
    ASSERT_EQ(ranges.size(), shares.size());
    std::int64_t next = 0;
    const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
    for (std::size_t j = 0; j < ranges.size(); ++j) {
      EXPECT_EQ(ranges[j].begin, next);
      EXPECT_GE(ranges[j].end, ranges[j].begin);
      EXPECT_NEAR(static_cast<double>(ranges[j].size()), static_cast<double>(count) * shares[j] / total,
                  1.0 + 1e-9);
      if (shares[j] == 0) {
        EXPECT_EQ(ranges[j].size(), 0);
      }
      next = ranges[j].end;
    }
    EXPECT_EQ(next, count);
  }
}

TEST(Shares, OfNobodyAreAMistake) {
  EXPECT_ANY_THROW(deal(3, std::vector{0.0, 0.0}));
}

}  // namespace
}  // namespace layerpipe::runtime
