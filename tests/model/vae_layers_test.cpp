// Convolutions against their sums in double. Limits as in ops_test.cpp: in fp32 and in bf16, on processors
// that have bf16 and on those that do not, products are summed up in fp32 and rounded once.
#include "model/vae/vae_layers.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/randn.h>

#include "model/ops/cpu_bf16.h"
#include "tests/model/rounding_bound.h"

namespace layerpipe::model {
namespace {

using layerpipe::testing::is_within_rounding;

constexpr double kFp32 = 0x1p-24;
constexpr std::int64_t kIn = 12;
constexpr std::int64_t kOut = 8;

at::Tensor wide(const at::Tensor& x) {
  return x.to(at::kDouble);
}

class VaeConvolutions : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  at::Tensor draw(at::IntArrayRef shape) {
    return at::randn(shape, generator_, at::TensorOptions()).to(GetParam());
  }
  at::Tensor draw_pixels() { return draw({1, kIn, 9, 7}).contiguous(at::MemoryFormat::ChannelsLast); }
  Convolution draw_convolution() {
    return {draw({kOut, kIn, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast), draw({kOut})};
  }
  // Of `x` and, by `magnitude`, of the magnitudes of all that is summed up.
  static at::Tensor exact(const at::Tensor& x, const Convolution& convolution) {
    return at::conv2d(wide(x), wide(convolution.weight), wide(convolution.bias), 1, 1);
  }
  static at::Tensor magnitude(const at::Tensor& x, const Convolution& convolution) {
    return at::conv2d(wide(x).abs(), wide(convolution.weight).abs(), wide(convolution.bias).abs(), 1, 1);
  }
  static constexpr double kSum = (9 * kIn + 1) * kFp32;

  at::Generator generator_ = at::make_generator<at::CPUGeneratorImpl>(12);
};

TEST_P(VaeConvolutions, RoundOnce) {
  const at::Tensor x = draw_pixels();
  const Convolution convolution = draw_convolution();
  const at::Tensor result = convolve(x, convolution);
  EXPECT_EQ(result.scalar_type(), GetParam());
  EXPECT_TRUE(is_within_rounding(result, exact(x, convolution), magnitude(x, convolution), kSum));
}

TEST_P(VaeConvolutions, OfNormedPixelsRoundTheNormToTheirDtypeAtMost) {
  const at::Tensor x = draw_pixels();
  const at::Tensor gamma = draw({kIn});
  const Convolution convolution = draw_convolution();
  const at::Tensor length = wide(x).square().sum(1, true).sqrt();
  const at::Tensor normed = wide(x) / length * std::sqrt(double{kIn}) * wide(gamma).view({1, -1, 1, 1});
  const at::Tensor silu = normed / ((-normed).exp() + 1);
  // ops_test.cpp allows the norm this error, relative to `normed`.
  const double norm_error = 1.1 * (kIn + 24) * kFp32;
  const bool in_fp32 = GetParam() == at::kFloat || !ops::cpu_has_bf16();
  const double norm_rounding = in_fp32 ? 0.0 : 0x1p-8;
  const at::Tensor result = norm_and_convolve(x, gamma, convolution);
  EXPECT_EQ(result.scalar_type(), GetParam());
  EXPECT_TRUE(is_within_rounding(result, exact(silu, convolution), magnitude(normed, convolution),
                                 kSum + norm_error + norm_rounding));
}

INSTANTIATE_TEST_SUITE_P(Precisions, VaeConvolutions, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return info.param == at::kFloat ? "fp32" : "bf16"; });

}  // namespace
}  // namespace layerpipe::model
