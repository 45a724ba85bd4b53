// Every operation against its formula in double.
//
// Limits: the operations compute in fp32 and round once at the end, so a result lies within one rounding to
// its dtype of a value whose own error is that of fp32: at most (number of fp32 operations that a value goes
// through) · 2⁻²⁴, relative to the sum of the magnitudes that were added.
#include "model/ops/ops.h"
#include "model/ops/linear.h"

#include <ATen/CPUGeneratorImpl.h>

#include "tests/model/rounding_bound.h"
#include "tests/support/parity_case.h"

namespace layerpipe::model::ops {
namespace {

using layerpipe::testing::is_equal;
using layerpipe::testing::is_within_rounding;

constexpr double kEps = 1e-6;
constexpr double kFp32 = 0x1p-24;

at::Tensor wide(const at::Tensor& x) {
  return x.to(at::kDouble);
}

struct Precision {
  const char* name;
  at::ScalarType dtype;
};

class Ops : public ::testing::TestWithParam<Precision> {
 protected:
  at::Tensor draw(at::IntArrayRef shape) {
    return at::randn(shape, generator_, at::TensorOptions().dtype(at::kFloat)).to(GetParam().dtype);
  }
  // The same values as `x` with a gap behind every row of the last two dimensions.
  static at::Tensor strided(const at::Tensor& x) {
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() += 5;
    at::Tensor out = at::full(shape, 99, x.options()).narrow(-1, 0, x.size(-1));
    return out.copy_(x);
  }
  // Applies an in-place operation to a copy.
  template <typename Op>
  static at::Tensor applied(const at::Tensor& x, Op&& op) {
    at::Tensor copy = x.clone(at::MemoryFormat::Preserve);
    op(copy);
    return copy;
  }
  struct Angles {
    at::Tensor cos, sin;
  };
  Angles angles(std::int64_t rows, std::int64_t half) {
    const at::Tensor angle = at::rand({rows, half}, generator_, at::TensorOptions()) * 100;
    return {angle.cos(), angle.sin()};
  }

  at::Generator generator_ = at::make_generator<at::CPUGeneratorImpl>(11);
};

TEST_P(Ops, Linear) {
  for (const std::int64_t rows : {1, 3, 130}) {
    const at::Tensor x = draw({rows, 70});
    for (const bool has_bias : {true, false}) {
      const at::Tensor weight = draw({45, 70});
      const at::Tensor bias = has_bias ? draw({45}) : at::Tensor();
      const Linear layer(weight, bias);
      EXPECT_EQ(layer.outputs(), 45);
      const at::Tensor b = has_bias ? wide(bias) : at::zeros({45}, at::kDouble);
      const at::Tensor exact = at::matmul(wide(x), wide(weight).t()) + b;
      const at::Tensor magnitude = at::matmul(wide(x).abs(), wide(weight).abs().t()) + b.abs();
      EXPECT_TRUE(is_within_rounding(layer.apply(x), exact, magnitude, 71 * kFp32)) << rows;
      EXPECT_TRUE(is_within_rounding(layer.apply(strided(x)), exact, magnitude, 71 * kFp32)) << rows;
      EXPECT_TRUE(is_within_rounding(layer.apply_to_rows(x), exact, magnitude, 71 * kFp32)) << rows;
      at::Tensor out = strided(at::zeros({rows, 45}, x.options()));
      layer.apply_into(out, strided(x));
      EXPECT_TRUE(is_within_rounding(out, exact, magnitude, 71 * kFp32)) << rows;
    }
  }
}

TEST_P(Ops, LinearOfAVectorIsLinear) {
  // More outputs than one task computes, and no multiple of it.
  const at::Tensor x = draw({1, 64});
  for (const bool has_bias : {true, false}) {
    const at::Tensor weight = draw({2500, 64});
    const at::Tensor bias = has_bias ? draw({2500}) : at::Tensor();
    const at::Tensor b = has_bias ? wide(bias) : at::zeros({2500}, at::kDouble);
    EXPECT_TRUE(is_within_rounding(Linear(weight, bias).apply_to_vector(x),
                                   at::matmul(wide(x), wide(weight).t()) + b,
                                   at::matmul(wide(x).abs(), wide(weight).abs().t()) + b.abs(), 65 * kFp32));
  }
}

TEST_P(Ops, LayerNormModulate) {
  const at::Tensor x = draw({9, 48}) + 3;
  const at::Tensor scale = draw({48});
  const at::Tensor shift = draw({48});
  const at::Tensor mean = wide(x).mean(-1, true);
  const at::Tensor deviation = ((wide(x) - mean).square().mean(-1, true) + kEps).sqrt();
  const at::Tensor factor = wide(scale) + 1;
  const at::Tensor exact = (wide(x) - mean) / deviation * factor + wide(shift);
  // The mean's and the variance's errors are those of sums of 48 values.
  const at::Tensor magnitude =
      (wide(x).abs() + wide(x).abs().mean(-1, true)) / deviation * (factor.abs() + 1) + wide(shift).abs();
  const double error = (2 * 48 + 8) * kFp32;
  EXPECT_TRUE(is_within_rounding(layer_norm_modulate(x, scale, shift, kEps), exact, magnitude, error));
  EXPECT_TRUE(
      is_within_rounding(layer_norm_modulate(strided(x), scale, shift, kEps), exact, magnitude, error));
}

TEST_P(Ops, RmsNorm) {
  const at::Tensor x = draw({3, 4, 24});
  const at::Tensor weight = draw({24});
  const at::Tensor exact = wide(x) / (wide(x).square().mean(-1, true) + kEps).sqrt() * wide(weight);
  EXPECT_TRUE(is_within_rounding(rms_norm(x, weight, kEps), exact, exact.abs(), (24 + 8) * kFp32));
  EXPECT_TRUE(is_within_rounding(rms_norm(strided(x), weight, kEps), exact, exact.abs(), (24 + 8) * kFp32));
}

TEST_P(Ops, RmsNormRotateTurnsNeighbours) {
  const at::Tensor x = draw({5, 3, 8});
  const at::Tensor weight = draw({8});
  const Angles a = angles(5, 4);
  const at::Tensor normed = wide(x) / (wide(x).square().mean(-1, true) + kEps).sqrt() * wide(weight);
  at::Tensor exact = at::empty_like(normed);
  at::Tensor magnitude = at::empty_like(normed);
  for (std::int64_t pair = 0; pair < 4; ++pair) {
    const at::Tensor first = normed.select(-1, 2 * pair);
    const at::Tensor second = normed.select(-1, 2 * pair + 1);
    const at::Tensor c = wide(a.cos).select(-1, pair).unsqueeze(1);
    const at::Tensor s = wide(a.sin).select(-1, pair).unsqueeze(1);
    exact.select(-1, 2 * pair).copy_(first * c - second * s);
    exact.select(-1, 2 * pair + 1).copy_(first * s + second * c);
    magnitude.select(-1, 2 * pair).copy_((first * c).abs() + (second * s).abs());
    magnitude.select(-1, 2 * pair + 1).copy_((first * s).abs() + (second * c).abs());
  }
  const auto op = [&](const at::Tensor& y) { rms_norm_rotate_(y, weight, kEps, a.cos, a.sin); };
  EXPECT_TRUE(is_within_rounding(applied(x, op), exact, magnitude, (8 + 10) * kFp32));
  EXPECT_TRUE(is_within_rounding(applied(strided(x), op), exact, magnitude, (8 + 10) * kFp32));
}

TEST_P(Ops, RotateHalvesTurnsHalves) {
  const at::Tensor x = draw({5, 3, 8});
  const Angles a = angles(5, 4);
  const at::Tensor c = wide(a.cos).unsqueeze(1);
  const at::Tensor s = wide(a.sin).unsqueeze(1);
  const at::Tensor first = wide(x).narrow(-1, 0, 4);
  const at::Tensor second = wide(x).narrow(-1, 4, 4);
  const at::Tensor exact = at::cat({first * c - second * s, first * s + second * c}, -1);
  const at::Tensor magnitude =
      at::cat({(first * c).abs() + (second * s).abs(), (first * s).abs() + (second * c).abs()}, -1);
  const auto op = [&](const at::Tensor& y) { rotate_halves_(y, a.cos, a.sin); };
  EXPECT_TRUE(is_within_rounding(applied(x, op), exact, magnitude, 3 * kFp32));
  EXPECT_TRUE(is_within_rounding(applied(strided(x), op), exact, magnitude, 3 * kFp32));
}

TEST_P(Ops, GatedResidual) {
  const at::Tensor hidden = draw({7, 24});
  const at::Tensor gate = draw({24});
  const at::Tensor branch = draw({7, 24});
  const at::Tensor product = wide(gate) * wide(branch);
  const at::Tensor exact = wide(hidden) + product;
  const at::Tensor magnitude = wide(hidden).abs() + product.abs();
  const auto op = [&](const at::Tensor& y) { gated_residual_(y, gate, strided(branch)); };
  EXPECT_TRUE(is_within_rounding(applied(hidden, op), exact, magnitude, 2 * kFp32));
  EXPECT_TRUE(is_within_rounding(applied(strided(hidden), op), exact, magnitude, 2 * kFp32));
}

TEST_P(Ops, LinearGeluIsTheTanhForm) {
  const at::Tensor x = draw({7, 24}) * 2;
  // The identity, which changes no bit: what is left is the activation.
  const Linear identity(at::eye(24, GetParam().dtype), at::zeros({24}, GetParam().dtype));
  const at::Tensor d = wide(x);
  const at::Tensor inner = (d + d.pow(3) * 0.044715) * std::sqrt(2 / std::acos(-1.0));
  const at::Tensor exact = d * 0.5 * (inner.tanh() + 1);
  EXPECT_TRUE(is_within_rounding(identity.apply_gelu(x), exact, d.abs(), 16 * kFp32));
  EXPECT_TRUE(is_within_rounding(identity.apply_gelu(strided(x)), exact, d.abs(), 16 * kFp32));
}

TEST_P(Ops, Swiglu) {
  const at::Tensor gate = draw({7, 24}) * 2;
  const at::Tensor up = draw({7, 24});
  const at::Tensor exact = wide(gate) / ((-wide(gate)).exp() + 1) * wide(up);
  const auto op = [&](const at::Tensor& y) { swiglu_(y, strided(up)); };
  EXPECT_TRUE(is_within_rounding(applied(gate, op), exact, exact.abs(), 16 * kFp32));
  EXPECT_TRUE(is_within_rounding(applied(strided(gate), op), exact, exact.abs(), 16 * kFp32));
}

TEST_P(Ops, ChannelNorm) {
  const at::Tensor x = draw({2, 12, 5, 3}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor gamma = draw({12});
  const at::Tensor length = wide(x).square().sum(1, true).sqrt();
  const at::Tensor normed = wide(x) / length * std::sqrt(12.0) * wide(gamma).view({1, -1, 1, 1});
  EXPECT_TRUE(is_within_rounding(channel_norm(x, gamma), normed, normed.abs(), (12 + 8) * kFp32));
  // The slope of silu is at most 1.1.
  EXPECT_TRUE(is_within_rounding(channel_norm_silu(x, gamma), normed / ((-normed).exp() + 1), normed.abs(),
                                 1.1 * (12 + 24) * kFp32));
  EXPECT_TRUE(is_equal(channel_norm(x.contiguous(), gamma), channel_norm(x, gamma).contiguous()));
}

TEST_P(Ops, ChannelNormOfNothingIsNothing) {
  const at::Tensor x = at::zeros({1, 4, 2, 2}, GetParam().dtype);
  const at::Tensor gamma = at::ones({4}, GetParam().dtype);
  EXPECT_TRUE(is_equal(channel_norm(x, gamma), x));
  EXPECT_TRUE(is_equal(channel_norm_silu(x, gamma), x));
}

INSTANTIATE_TEST_SUITE_P(Precisions, Ops,
                         ::testing::Values(Precision{"fp32", at::kFloat}, Precision{"bf16", at::kBFloat16}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace layerpipe::model::ops
