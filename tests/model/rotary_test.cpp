// Positions by hand. With two channels an axis there is one frequency, 1, so an angle is the position.
#include "model/rotary.h"

namespace layerpipe::model {
namespace {

constexpr std::array<std::int64_t, 3> kOneFrequencyEach{2, 2, 2};

// [tokens, channels / 2] has to hold the cosine and sine of these angles.
void expect_angles(const RotaryTable& table, const std::vector<std::vector<double>>& expected) {
  ASSERT_EQ(table.cos.size(0), static_cast<std::int64_t>(expected.size()));
  ASSERT_EQ(table.sin.sizes(), table.cos.sizes());
  for (std::size_t token = 0; token < expected.size(); ++token) {
    const auto row = static_cast<std::int64_t>(token);
    ASSERT_EQ(table.cos.size(1), static_cast<std::int64_t>(expected[token].size()));
    for (std::size_t i = 0; i < expected[token].size(); ++i) {
      const auto column = static_cast<std::int64_t>(i);
      EXPECT_NEAR(table.cos[row][column].item<double>(), std::cos(expected[token][i]), 0x1p-23) << token;
      EXPECT_NEAR(table.sin[row][column].item<double>(), std::sin(expected[token][i]), 0x1p-23) << token;
    }
  }
}

TEST(ImageRotary, FramesCountUpRowsAndColumnsAreCentred) {
  const TokenGrid grid{.frames = 2, .height = 3, .width = 2, .has_condition = true};
  EXPECT_EQ(grid.latent_tokens(), 12);
  EXPECT_EQ(grid.image_tokens(), 18);
  std::vector<std::vector<double>> expected;
  for (const double frame : {0, 1, -1})
    for (const double row : {-2, -1, 0})
      for (const double column : {-1, 0}) expected.push_back({frame, row, column});
  expect_angles(image_rotary_table(grid, kOneFrequencyEach, at::kCPU), expected);
}

TEST(ImageRotary, WithoutAConditionThereIsNoFrameMore) {
  const TokenGrid grid{.frames = 1, .height = 1, .width = 5};
  expect_angles(image_rotary_table(grid, kOneFrequencyEach, at::kCPU),
                {{0, -1, -3}, {0, -1, -2}, {0, -1, -1}, {0, -1, 0}, {0, -1, 1}});
}

TEST(ImageRotary, FrequenciesFallWithinAnAxis) {
  // Row −2 of an axis of four channels: 10000^0 and 10000^(−1/2).
  const TokenGrid grid{.frames = 1, .height = 4, .width = 1};
  const RotaryTable table = image_rotary_table(grid, {2, 4, 2}, at::kCPU);
  expect_angles(table, {{0, -2, -0.02, -1}, {0, -1, -0.01, -1}, {0, 0, 0, -1}, {0, 1, 0.01, -1}});
}

TEST(TextRotary, StartsBehindTheLargestPosition) {
  const auto start = [](TokenGrid grid) { return text_rotary_table(grid, kOneFrequencyEach, 1, at::kCPU); };
  const auto all = [](double position) { return std::vector<double>{position, position, position}; };
  expect_angles(start({.frames = 3, .height = 9, .width = 4, .has_condition = true}), {all(4)});
  expect_angles(start({.frames = 3, .height = 4, .width = 11, .has_condition = true}), {all(5)});
  expect_angles(start({.frames = 11, .height = 4, .width = 4, .has_condition = true}), {all(11)});
  expect_angles(start({.frames = 11, .height = 4, .width = 4}), {all(2)});
  const TokenGrid grid{.frames = 1, .height = 6, .width = 2};
  expect_angles(text_rotary_table(grid, kOneFrequencyEach, 3, at::kCPU), {all(3), all(4), all(5)});
}

TEST(CausalRotary, CountsFromZeroAndRounds) {
  const RotaryTable exact = causal_rotary_table(3, 4, 1e6, at::kCPU, at::kFloat);
  expect_angles(exact, {{0, 0}, {1, 0.001}, {2, 0.002}});
  const RotaryTable rounded = causal_rotary_table(3, 4, 1e6, at::kCPU, at::kBFloat16);
  EXPECT_EQ(rounded.cos.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(rounded.cos, exact.cos.to(at::kBFloat16).to(at::kFloat)));
  EXPECT_TRUE(at::equal(rounded.sin, exact.sin.to(at::kBFloat16).to(at::kFloat)));
  EXPECT_FALSE(at::equal(rounded.sin, exact.sin));
}

}  // namespace
}  // namespace layerpipe::model
