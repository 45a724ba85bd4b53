#include "common/spread.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/errors.h"

namespace layerpipe::common {
namespace {

using Chosen = std::vector<bool>;

TEST(Spread, ChoosesEvenly) {
  EXPECT_EQ(spread(0, 4), (Chosen{false, false, false, false}));
  EXPECT_EQ(spread(2, 4), (Chosen{false, true, false, true}));
  EXPECT_EQ(spread(3, 5), (Chosen{false, true, false, true, true}));
  EXPECT_EQ(spread(3, 3), (Chosen{true, true, true}));
  EXPECT_EQ(spread(0, 0), Chosen{});
}

// Between two neighbours lie equally many others, but for one.
TEST(Spread, LeavesEqualGaps) {
  for (std::int64_t count = 1; count <= 60; ++count) {
    for (std::int64_t chosen = 1; chosen <= count; ++chosen) {
      const Chosen is_chosen = spread(chosen, count);
      EXPECT_EQ(std::count(is_chosen.begin(), is_chosen.end(), true), chosen);
      std::int64_t gap = 0;
      for (const bool one : is_chosen) {
        gap = one ? 0 : gap + 1;
        EXPECT_LE(gap, (count + chosen - 1) / chosen);
      }
    }
  }
}

TEST(Spread, RefusesMoreThanThereAre) {
  EXPECT_THROW(spread(4, 3), InternalError);
  EXPECT_THROW(spread(-1, 3), InternalError);
}

}  // namespace
}  // namespace layerpipe::common
