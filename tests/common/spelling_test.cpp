#include "common/spelling.h"

#include <gtest/gtest.h>

namespace layerpipe::common {
namespace {

TEST(Spelling, CountsWhatHasToBeChanged) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("steps", "steps"), 0U);
  EXPECT_EQ(edit_distance("step", "steps"), 1U);
  EXPECT_EQ(edit_distance("stepps", "steps"), 1U);
  EXPECT_EQ(edit_distance("stips", "steps"), 1U);
  EXPECT_EQ(edit_distance("setps", "steps"), 1U) << "neighbours swapped";
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Spelling, FindsTheNearestWord) {
  const std::vector<std::string> options{"--steps", "--seed", "--seed-device", "--layers", "--out"};
  EXPECT_EQ(nearest("--stepz", options), "--steps");
  EXPECT_EQ(nearest("-seed", options), "--seed");
  EXPECT_EQ(nearest("seed-devise", options), "--seed-device");
  EXPECT_EQ(nearest("--layer", options), "--layers");
}

TEST(Spelling, LeavesOtherWordsAlone) {
  const std::vector<std::string> options{"--steps", "--out"};
  EXPECT_EQ(nearest("--colour", options), std::nullopt);
  EXPECT_EQ(nearest("--", options), std::nullopt);
  EXPECT_EQ(nearest("--a", options), std::nullopt);
  EXPECT_EQ(nearest(std::string(1 << 20, 'x'), options), std::nullopt);
  EXPECT_EQ(nearest("--steps", {}), std::nullopt);
}

}  // namespace
}  // namespace layerpipe::common
