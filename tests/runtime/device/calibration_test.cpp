#include "runtime/device/calibration.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>

#include "common/clock.h"
#include "model/ops/tiles.h"
#include "model/transformer/transformer.h"
#include "runtime/networks/model_folder.h"

namespace layerpipe::runtime {
namespace {

using model::TransformerTokens;

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;

class Calibration : public ::testing::Test {
 protected:
  static model::ComputeTarget target() { return {at::kCPU, at::kFloat, at::get_num_threads()}; }
  const model::TransformerConfig& config() const { return model_.config().transformer; }

  const ModelFolder model_{std::filesystem::path(LAYERPIPE_DEMO) / "model", WeightOrigin::kFiles};
};

TEST_F(Calibration, ScalesAttentionAndTheRestApart) {
  const TransformerTokens sample{.latent = 500, .image = 600, .text = 40};
  const TransformerTokens tokens{.latent = 5000, .image = 6000, .text = 400};  // ten times as many
  const double attention = block_attention_operations(config(), sample, 0);
  const double rest = block_operations(config(), sample, 0) - attention;
  const double speed = operations_per_second(config(), tokens, sample, {.attention = 0.25, .rest = 0.5});
  const double seconds = 100 * 0.25 + 10 * 0.5;
  EXPECT_DOUBLE_EQ(speed * seconds, 100 * attention + 10 * rest);
  EXPECT_DOUBLE_EQ(operations_per_second(config(), sample, sample, {.attention = 0.25, .rest = 0.5}) * 0.75,
                   attention + rest);
}

TEST_F(Calibration, TakesAllTokensOfASmallPicture) {
  const TransformerTokens small{.latent = 200, .image = 300, .text = 20};
  const TransformerTokens sample = sample_tokens(config(), small, target());
  EXPECT_EQ(sample.image, small.image);
  EXPECT_EQ(sample.text, small.text);
}

TEST_F(Calibration, FillsTheTilesOfAllThreads) {
  for (const std::int64_t threads : {1, 2, 7, 16, 64}) {
    const TransformerTokens tokens{.latent = 80000, .image = 96000, .text = 400};
    const TransformerTokens sample = sample_tokens(config(), tokens, {at::kCPU, at::kFloat, threads});
    EXPECT_EQ(sample.image % (threads * model::ops::rows_per_tile(at::kCPU, sample.image)), 0) << threads;
    EXPECT_GT(sample.image, 0) << threads;
    EXPECT_LT(sample.image, tokens.image) << threads;
    EXPECT_LT(sample.latent, sample.image) << threads;
    EXPECT_GE(sample.text, 1) << threads;
  }
}

TEST_F(Calibration, MeasuresNothingWhereMemoryIsScarce) {
  const TransformerTokens tokens{.latent = 200, .image = 300, .text = 20};
  EXPECT_EQ(measure_operations_per_second(config(), tokens, target(), {}, 1 << 20), 0);
}

TEST_F(Calibration, SaysThatItMoves) {
  const TransformerTokens tokens{.latent = 200, .image = 300, .text = 20};
  int moves = 0;
  EXPECT_GT(measure_operations_per_second(config(), tokens, target(), {}, kPlenty, [&] { ++moves; }), 0);
  EXPECT_GE(moves, 3);  // once it is made, and after each run: one that counts at least
}

// On a CPU codes become wide before they are multiplied, which takes time.
TEST_F(Calibration, MeasuresBlocksAsTheyAreHeld) {
  const TransformerTokens tokens{.latent = 20, .image = 30, .text = 20};
  const auto speed_of = [&](const BlockProduct& product) {
    double most = 0;
    for (int run = 0; run < 3; ++run)
      most = std::max(most, measure_operations_per_second(config(), tokens, target(), product, kPlenty));
    return most;
  };
  EXPECT_GT(speed_of({}), speed_of(model::ops::Product::kWeightOnly));
}

// A speed is measured twice, one way and the other, and other programs may disturb either: it has to be about
// the same once in some attempts.
class CalibrationTimes : public Calibration, public ::testing::WithParamInterface<TransformerTokens> {
 protected:
  double seconds_of_a_block(const TransformerTokens& tokens) const {
    const model::WeightStore store(model_.source(partition::Network::kTransformer), at::kCPU, at::kFloat);
    const auto weights = load_transformer_block(store, config(), 0);
    const std::int64_t dim = config().inner_dim();
    model::Streams streams{at::randn({tokens.image, dim}), at::randn({tokens.text, dim})};
    const auto rotary = [&](std::int64_t rows) -> model::RotaryTable {
      return {at::ones({rows, config().attention_head_dim / 2}),
              at::zeros({rows, config().attention_head_dim / 2})};
    };
    const auto modulation = [&]() -> model::Modulation {
      return {at::randn({dim}), at::randn({dim}), at::randn({dim})};
    };
    const model::BlockModulation both{{modulation(), modulation()}, {modulation(), modulation()}};
    double least = std::numeric_limits<double>::infinity();
    for (int run = 0; run < 3; ++run) {
      const double begin = common::now();
      model::TransformerBlock(config()).forward(
          weights, streams, both, {rotary(tokens.image), rotary(tokens.text)}, model::ops::full_attention);
      least = std::min(least, common::now() - begin);
    }
    return least;
  }
};

TEST_P(CalibrationTimes, AreThoseOfABlockOfTheModel) {
  constexpr int kAttempts = 6;
  constexpr double kFactor = 1.5;
  double ratio = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double predicted = block_operations(config(), GetParam(), 0) /
                             measure_operations_per_second(config(), GetParam(), target(), {}, kPlenty);
    ratio = predicted / seconds_of_a_block(GetParam());
    if (ratio > 1 / kFactor && ratio < kFactor) return;
  }
  ADD_FAILURE() << "predicted / measured is " << ratio << " in the last attempt";
}

// Whole; and a tenth of the tokens or less, of which attention computes most.
INSTANTIATE_TEST_SUITE_P(Tokens, CalibrationTimes,
                         ::testing::Values(TransformerTokens{.latent = 512, .image = 640, .text = 40},
                                           TransformerTokens{.latent = 8192, .image = 10240, .text = 40}));

TEST(LoadSpeed, IsMeasuredWhereThereIsMemory) {
  EXPECT_EQ(measure_load_bytes_per_second(at::kCPU, 1 << 20), 0);
  std::atomic<int> reports{0};
  EXPECT_GT(measure_load_bytes_per_second(at::kCPU, kPlenty, [&] { ++reports; }), 1e8);
  EXPECT_GE(reports, 64);
}

}  // namespace
}  // namespace layerpipe::runtime
