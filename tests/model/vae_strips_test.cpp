// Strips are exact: they read every row that their pixels depend on, and no other.
//
// A halo one row short changes results by less than fp32 resolves, so the dependencies are found in double:
// one input row is changed strongly, and whatever output changes by a single bit depends on it.
#include "model/vae/vae_strips.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/ne.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "model/vae/vae.h"

namespace layerpipe::model {
namespace {

using common::Range;

// The real structure with few channels. No clamp hides a change: the last convolution's weights are random
// too, and most pixels lie inside of −1 … 1.
VaeConfig small_config(std::int64_t num_res_blocks) {
  VaeConfig config;
  config.base_dim = 4;
  config.dim_mult = {1, 1, 2, 2};
  config.num_res_blocks = num_res_blocks;
  config.input_channels = 4;
  return config;
}

WeightStore double_store() {
  return {std::make_shared<RandomTensorSource>("vae", at::kDouble), at::kCPU, at::kDouble};
}

at::Tensor random_values(at::IntArrayRef shape) {
  return RandomTensorSource("input", at::kDouble).read("values", shape);
}

// The band of rows of `input` [1, channels, rows, columns] that changes each row of `output_of(input)`.
template <typename Function>
std::vector<Range> dependencies(const at::Tensor& input, const Function& output_of) {
  constexpr double kStrong = 100.0;
  const at::Tensor before = output_of(input);
  std::vector<Range> bands(static_cast<std::size_t>(before.size(2)),
                           {std::numeric_limits<std::int64_t>::max(), 0});
  for (std::int64_t row = 0; row < input.size(2); ++row) {
    at::Tensor changed = input.clone();
    changed.select(2, row).add_(random_values({1, input.size(1), input.size(3)}) * kStrong);
    const at::Tensor differs = at::ne(output_of(changed), before).any(3).any(1).flatten();
    for (std::size_t i = 0; i < bands.size(); ++i) {
      if (!differs[static_cast<std::int64_t>(i)].item<bool>()) continue;
      bands[i] = {std::min(bands[i].begin, row), std::max(bands[i].end, row + 1)};
    }
  }
  return bands;
}

Range united(const std::vector<Range>& bands, const Range& rows) {
  Range all = bands[static_cast<std::size_t>(rows.begin)];
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const Range& band = bands[static_cast<std::size_t>(row)];
    all = {std::min(all.begin, band.begin), std::max(all.end, band.end)};
  }
  return all;
}

// The strips in use, and every single row: at all distances from the upper and the lower edge.
std::vector<Range> strips_of(std::int64_t latent_rows) {
  std::vector<Range> strips = vae_strips(latent_rows);
  for (std::int64_t row = 0; row < latent_rows; ++row) strips.push_back({row, row + 1});
  return strips;
}

void expect_band(const Range& band, const Range& needed, const Range& strip) {
  EXPECT_EQ(band.begin, needed.begin) << "above latent rows " << strip.begin << " … " << strip.end - 1;
  EXPECT_EQ(band.end, needed.end) << "below latent rows " << strip.begin << " … " << strip.end - 1;
}

class VaeStrips : public ::testing::TestWithParam<std::int64_t> {
 protected:
  static constexpr std::int64_t kRows = 40;  // of latents: more than a halo on both sides of a strip
  static constexpr std::int64_t kColumns = 2;
  VaeConfig config_ = small_config(GetParam());
};

TEST_P(VaeStrips, DecoderReadsExactlyTheRowsThatMatter) {
  const VaeDecoder decoder(double_store(), config_);
  const at::Tensor middle = random_values({1, 8, kRows, kColumns});
  const auto bands = dependencies(middle, [&](const at::Tensor& x) {
    return decoder.forward_strip(x, {0, kRows});
  });
  for (const Range& strip : strips_of(kRows)) {
    const Range needed = united(bands, {8 * strip.begin, 8 * strip.end});
    expect_band(decoder_strip_rows(config_, strip, kRows).front(), needed, strip);
  }
}

TEST_P(VaeStrips, EncoderReadsExactlyTheRowsThatMatter) {
  const VaeEncoder encoder(double_store(), config_);
  const at::Tensor picture = random_values({1, config_.input_channels, 8 * kRows, 8 * kColumns});
  const auto bands = dependencies(picture, [&](const at::Tensor& x) {
    return encoder.forward_strip(x, {0, kRows});
  });
  for (const Range& strip : strips_of(kRows)) {
    expect_band(encoder_strip_rows(config_, strip, kRows).front(), united(bands, strip), strip);
  }
}

TEST_P(VaeStrips, DecodedStripsMakeTheWholePicture) {
  const VaeDecoder decoder(double_store(), config_);
  const at::Tensor middle = random_values({1, 8, kRows, kColumns});
  const at::Tensor whole = decoder.forward_strip(middle, {0, kRows});
  for (const Range& strip : strips_of(kRows)) {
    const at::Tensor expected = whole.narrow(2, 8 * strip.begin, 8 * strip.size());
    EXPECT_LE((decoder.forward_strip(middle, strip) - expected).abs().max().item<double>(), 1e-12)
        << "latent rows " << strip.begin << " … " << strip.end - 1;
  }
}

TEST_P(VaeStrips, EncodedStripsMakeTheWholePicture) {
  const VaeEncoder encoder(double_store(), config_);
  const at::Tensor picture = random_values({1, config_.input_channels, 8 * kRows, 8 * kColumns});
  const at::Tensor whole = encoder.forward_strip(picture, {0, kRows});
  for (const Range& strip : strips_of(kRows)) {
    const at::Tensor expected = whole.narrow(2, strip.begin, strip.size());
    EXPECT_LE((encoder.forward_strip(picture, strip) - expected).abs().max().item<double>(), 1e-12)
        << "latent rows " << strip.begin << " … " << strip.end - 1;
  }
}

INSTANTIATE_TEST_SUITE_P(ResidualBlocks, VaeStrips, ::testing::Values(1, 2),
                         [](const auto& info) { return std::to_string(info.param); });

TEST(VaeStripNumbers, AreThoseOfTheRealModel) {
  const VaeConfig config;
  constexpr std::int64_t kRows = 128;
  const Range strip{32, 64};
  const Range latents = decoder_strip_rows(config, strip, kRows).front();
  EXPECT_EQ(strip.begin - latents.begin, 13);
  EXPECT_EQ(latents.end - strip.end, 13);
  const Range pixels = encoder_strip_rows(config, strip, kRows).front();
  EXPECT_EQ(8 * strip.begin - pixels.begin, 61);
  EXPECT_EQ(pixels.end - 8 * strip.end, 68);
}

TEST(VaeStripNumbers, StripsCoverThePictureOnce) {
  for (std::int64_t rows = 1; rows <= 300; ++rows) {
    std::int64_t next = 0;
    for (const Range& strip : vae_strips(rows)) {
      EXPECT_EQ(strip.begin, next);
      EXPECT_GE(strip.size(), 1);
      EXPECT_LE(strip.size(), 32);
      next = strip.end;
    }
    EXPECT_EQ(next, rows);
    EXPECT_GE(vae_strips(rows).size(), rows >= 2 ? 2U : 1U);
  }
}

}  // namespace
}  // namespace layerpipe::model
