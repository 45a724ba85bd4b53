// Speeds are measured, so this program runs alone, and is content with half or twice.
#include "runtime/calibration.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "model/transformer/transformer.h"
#include "runtime/clock.h"
#include "runtime/model_folder.h"

namespace layerpipe::runtime {
namespace {

constexpr double kFactor = 2;

class Calibration : public ::testing::Test {
 protected:
  static model::ComputeTarget target() { return {at::kCPU, at::kFloat, at::get_num_threads()}; }

  // The best of three: what disturbs a measurement only makes it longer.
  double seconds_of_a_block(const model::TransformerTokens& tokens) const {
    const model::TransformerConfig& config = model_.config().transformer;
    const model::WeightStore store(model_.source(Network::kTransformer), at::kCPU, at::kFloat);
    const auto weights = load_transformer_block(store, config, 0);
    const std::int64_t dim = config.inner_dim();
    model::Streams streams{at::randn({tokens.image, dim}), at::randn({tokens.text, dim})};
    const auto rotary = [&](std::int64_t rows) -> model::RotaryTable {
      return {at::ones({rows, config.attention_head_dim / 2}),
              at::zeros({rows, config.attention_head_dim / 2})};
    };
    const at::Tensor conditioning = at::randn({1, dim});
    double least = std::numeric_limits<double>::infinity();
    for (int run = 0; run < 3; ++run) {
      const double begin = now();
      model::TransformerBlock(config).forward(weights, streams, conditioning,
                                              {rotary(tokens.image), rotary(tokens.text)},
                                              model::ops::full_attention);
      least = std::min(least, now() - begin);
    }
    return least;
  }

  void expect_foretold(const model::TransformerTokens& tokens) const {
    const model::TransformerConfig& config = model_.config().transformer;
    const double speed = measure_operations_per_second(config, tokens, target());
    const double predicted = block_operations(config, tokens, 0) / speed;
    const double measured = seconds_of_a_block(tokens);
    RecordProperty("predicted_over_measured", std::to_string(predicted / measured));
    EXPECT_GT(predicted, measured / kFactor);
    EXPECT_LT(predicted, measured * kFactor);
  }

  const ModelFolder model_{std::filesystem::path(LAYERPIPE_DEMO) / "model", WeightOrigin::kFiles};
};

TEST_F(Calibration, ForetellsABlockThatIsMeasuredWhole) {
  expect_foretold({.latent = 1024, .image = 1280, .text = 40});
}

// Of these a sample is measured; attention is most of what they compute.
TEST_F(Calibration, ForetellsABlockOfManyMoreTokens) {
  expect_foretold({.latent = 8192, .image = 10240, .text = 40});
}

}  // namespace
}  // namespace layerpipe::runtime
