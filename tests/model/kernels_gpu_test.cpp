// Each CUDA kernel against the ATen reference of its operation.
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <limits>

#include "model/kernels/kernels.h"
#include "model/ops/linear.h"
#include "model/ops/ops.h"
#include "model/ops/reference.h"

namespace layerpipe::model::ops {
namespace {

// The two add in another order in fp32 and round once: a bf16 value may fall to the neighbour at a tie's
// edge.
double limit_of(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? 1e-3 : 2e-6;
}

class Kernels : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "there is no GPU";
    if (!kernels::apply_to(random({8, 128}))) GTEST_SKIP() << "this build has no CUDA kernels";
  }
  static at::Tensor random(at::IntArrayRef shape) {
    return at::randn(shape, at::TensorOptions().device(at::kCUDA).dtype(at::kFloat)).to(GetParam());
  }
  static void expect_close(const at::Tensor& value, const at::Tensor& truth) {
    const at::Tensor a = value.to(at::kDouble);
    const at::Tensor b = truth.to(at::kDouble);
    EXPECT_LE((at::linalg_vector_norm(a - b) / at::linalg_vector_norm(b)).item<double>(),
              limit_of(GetParam()));
  }
};

// Widths of the real model and odd ones; one row and many.
constexpr std::int64_t kDims[] = {8, 64, 1000, 3072, 3584};
constexpr std::int64_t kRows[] = {1, 3, 1025};

TEST_P(Kernels, LayerNormModulate) {
  for (const auto rows : kRows) {
    for (const auto dim : kDims) {
      const at::Tensor x = random({rows, dim}) * 3 + 1;
      const at::Tensor scale = random({dim});
      const at::Tensor shift = random({dim});
      expect_close(layer_norm_modulate(x, scale, shift, 1e-6),
                   reference::layer_norm_modulate(x, scale, shift, 1e-6));
    }
  }
}

TEST_P(Kernels, RmsNorm) {
  for (const auto rows : kRows) {
    for (const auto dim : kDims) {
      const at::Tensor x = random({rows, dim});
      const at::Tensor weight = random({dim});
      expect_close(rms_norm(x, weight, 1e-6), reference::rms_norm(x, weight, 1e-6));
    }
  }
}

TEST_P(Kernels, RmsNormRotate) {
  for (const auto rows : kRows) {
    for (const std::int64_t head_dim : {8, 64, 128, 512}) {
      const at::Tensor x = random({rows, 3, head_dim});
      const at::Tensor weight = random({head_dim});
      const at::Tensor angle = at::randn({rows, head_dim / 2}, at::kCUDA);
      const at::Tensor expected = x.clone();
      reference::rms_norm_rotate_(expected, weight, 1e-6, angle.cos(), angle.sin());
      rms_norm_rotate_(x, weight, 1e-6, angle.cos(), angle.sin());
      expect_close(x, expected);
    }
  }
}

TEST_P(Kernels, GatedResidual) {
  for (const auto rows : kRows) {
    for (const auto dim : kDims) {
      const at::Tensor hidden = random({rows, dim});
      const at::Tensor gate = random({dim});
      const at::Tensor branch = random({rows, dim});
      const at::Tensor expected = hidden.clone();
      reference::gated_residual_(expected, gate, branch);
      gated_residual_(hidden, gate, branch);
      expect_close(hidden, expected);
    }
  }
}

TEST_P(Kernels, ChannelNorm) {
  for (const std::int64_t channels : {8, 96, 192, 384}) {
    const at::Tensor x = random({1, channels, 17, 5}).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor gamma = random({channels});
    expect_close(channel_norm(x, gamma), reference::channel_norm(x, gamma));
    expect_close(channel_norm_silu(x, gamma), reference::channel_norm_silu(x, gamma));
  }
}

TEST_P(Kernels, ChannelNormOfZerosIsZero) {
  const at::Tensor x = at::zeros_like(random({1, 96, 2, 2})).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_EQ(channel_norm_silu(x, random({96})).abs().max().item<float>(), 0.0F);
}

TEST_P(Kernels, LinearGeluIsTheTanhForm) {
  const at::Tensor x = random({64, 128});
  const at::Tensor weight = random({256, 128}) / 10;
  const at::Tensor bias = random({256});
  const at::Tensor wide = at::linear(x.to(at::kFloat), weight.to(at::kFloat), bias.to(at::kFloat));
  const at::Tensor value = Linear(weight, bias).apply_gelu(x);
  if (GetParam() == at::kFloat) {
    expect_close(value, at::gelu(wide, "tanh"));
  } else {
    EXPECT_LE(at::linalg_vector_norm(value.to(at::kFloat) - at::gelu(wide, "tanh")).item<float>(),
              0.004F * at::linalg_vector_norm(wide).item<float>());
  }
}

// A matrix in e4m3 on the CPU and on the GPU, with rows of the real model and odd ones.
// One such value at any place, also behind the last whole vector of 16 bytes.
TEST_P(Kernels, FindNotFiniteSeesEachValue) {
  const auto finds = [](const at::Tensor& x) {
    EXPECT_TRUE(kernels::finds_not_finite_in(x));
    const at::Tensor found = at::zeros({1}, x.options().dtype(at::kInt));
    kernels::find_not_finite(found, x);
    return found.item<int>() == 1;
  };
  constexpr std::int64_t kLong = 5'000'011;
  for (const at::ScalarType dtype : {GetParam(), at::kHalf, at::kFloat8_e4m3fn}) {
    const at::Tensor largest = at::full({kLong}, 448.0, at::TensorOptions().device(at::kCUDA)).to(dtype);
    EXPECT_FALSE(finds(largest));
    EXPECT_FALSE(finds(largest.to(at::kFloat).neg().to(dtype)));
    for (const std::int64_t place : {std::int64_t{0}, std::int64_t{7}, kLong / 2, kLong - 3, kLong - 1}) {
      at::Tensor x = largest.to(at::kFloat);
      x[place] = std::numeric_limits<float>::quiet_NaN();
      EXPECT_TRUE(finds(x.to(dtype))) << place;
      if (dtype == at::kFloat8_e4m3fn) continue;  // it has no infinity
      x[place] = -std::numeric_limits<float>::infinity();
      EXPECT_TRUE(finds(x.to(dtype))) << place;
    }
  }
}

class QuantisedLinears : public Kernels {
 protected:
  // [out, in], of which each row has a scale of its own.
  static QuantisedWeight quantised(std::int64_t out, std::int64_t in) {
    const at::Tensor matrix = at::randn({out, in}, at::TensorOptions()) / 50;
    QuantisedWeight weight{.values = at::empty({out, in}, at::TensorOptions().dtype(at::kFloat8_e4m3fn)),
                           .scale = at::empty({out}, at::TensorOptions())};
    for (std::int64_t row = 0; row < out; ++row) {
      weight.scale.mutable_data_ptr<float>()[row] =
          quantise_row(matrix.const_data_ptr<float>() + row * in, in,
                       static_cast<std::uint8_t*>(weight.values.mutable_data_ptr()) + row * in);
    }
    return weight;
  }
  static QuantisedWeight on_gpu(const QuantisedWeight& weight, Product product) {
    return {.values = weight.values.to(at::kCUDA), .scale = weight.scale.to(at::kCUDA), .product = product};
  }
  static double relative_error(const at::Tensor& value, const at::Tensor& truth) {
    const at::Tensor b = truth.to(at::kDouble);
    return (at::linalg_vector_norm(value.to(at::kDouble) - b) / at::linalg_vector_norm(b)).item<double>();
  }
};

// Rows that this project's kernel takes, and a width that LibTorch's functions have to; rows that lie apart.
TEST_P(QuantisedLinears, RowsAreQuantisedAsOnTheCpu) {
  for (const std::int64_t dim : {12, 64, 1000, 3072, 12288}) {
    at::Tensor x = random({37, dim + 8}).narrow(1, 0, dim);
    x.select(0, 3).zero_();
    x.select(0, 4).fill_(1e-38);
    x.select(0, 5).mul_(1e30);
    const QuantisedRows there = quantise_rows(x);
    const QuantisedRows here = quantise_rows(x.cpu());
    EXPECT_TRUE(at::equal(there.scale.cpu(), here.scale)) << dim;
    EXPECT_TRUE(at::equal(there.values.view(at::kByte).cpu(), here.values.view(at::kByte))) << dim;
  }
}

TEST_P(QuantisedLinears, ANanStaysOneInItsRow) {
  at::Tensor x = random({2, 64});
  x[1][5] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor codes = quantise_rows(x).values.view(at::kByte).cpu();
  const at::Tensor is_nan = codes.bitwise_and(0x7F).eq(0x7F);
  EXPECT_EQ(is_nan.sum().item<std::int64_t>(), 1);
  EXPECT_TRUE(is_nan[1][5].item<bool>());
}

TEST_P(QuantisedLinears, WeightsOnlyAreThoseOfTheCpu) {
  const QuantisedWeight weight = quantised(5000, 3072);  // more than a piece
  const QuantisedWeight there = on_gpu(weight, Product::kWeightOnly);
  const at::Tensor matrix = dequantised(weight, {0, 5000}, GetParam());
  EXPECT_TRUE(at::equal(dequantised(there, {0, 5000}, GetParam()).cpu(), matrix));
  for (const auto rows : kRows) {
    const at::Tensor x = random({rows, 3072});
    const at::Tensor bias = random({5000});
    const at::Tensor truth =
        at::addmm(bias.to(at::kDouble), x.to(at::kDouble), matrix.to(at::kCUDA).to(at::kDouble).t());
    // Partial sums of few rows are added in bf16 by some of cuBLAS's kernels.
    EXPECT_LE(relative_error(Linear(there, bias).apply(x), truth), GetParam() == at::kFloat ? 1e-5 : 5e-3)
        << rows;
  }
}

// Activations have errors of their own then: e4m3 keeps 4 bits, which is 2.6 % of random values.
TEST_P(QuantisedLinears, ProductsInFp8AreNearTheWeightOnlyOnes) {
  if (GetParam() != at::kBFloat16) GTEST_SKIP() << "e4m3 is multiplied into bf16 alone";
  if (!has_fp8_products(at::Device(at::kCUDA, 0))) GTEST_SKIP() << "this GPU does not multiply e4m3";
  constexpr std::int64_t kShapes[][2] = {{3072, 3072}, {12288, 3072}, {3072, 12288}, {48, 256}};
  for (const auto& [out, in] : kShapes) {
    const QuantisedWeight weight = quantised(out, in);
    for (const auto rows : kRows) {
      for (const bool has_bias : {true, false}) {
        const at::Tensor bias = has_bias ? random({out}) : at::Tensor();
        const at::Tensor x = random({rows, in});
        const Linear fp8(on_gpu(weight, Product::kFp8), bias);
        const at::Tensor value = fp8.apply(x);
        const double error =
            relative_error(value, Linear(on_gpu(weight, Product::kWeightOnly), bias).apply(x));
        EXPECT_LE(error, 0.035) << out << " x " << in << ", " << rows << " rows";
        EXPECT_GT(error, 1e-4) << "that was no product in e4m3";
        at::Tensor wide = at::zeros({rows, out + 16}, x.options());
        fp8.apply_into(wide.narrow(1, 0, out), x);
        EXPECT_TRUE(at::equal(wide.narrow(1, 0, out), value));
      }
    }
  }
}

TEST_P(QuantisedLinears, LayersThatShareAnInputGiveTheBitsOfThoseThatDoNot) {
  if (GetParam() != at::kBFloat16 || !has_fp8_products(at::Device(at::kCUDA, 0)))
    GTEST_SKIP() << "there is no product in e4m3 here";
  const at::Tensor x = random({33, 256});
  const LinearInput shared(x);
  for (int layer = 0; layer < 3; ++layer) {
    const Linear fp8(on_gpu(quantised(64, 256), Product::kFp8), random({64}));
    at::Tensor out = at::zeros({33, 64}, x.options());
    fp8.apply_into(out, shared);
    EXPECT_TRUE(at::equal(out, fp8.apply(x)));
  }
  EXPECT_EQ(shared.in_fp8().values.data_ptr(), shared.in_fp8().values.data_ptr()) << "made once";
}

TEST_P(QuantisedLinears, RowsOfZerosStayZeroInFp8) {
  if (GetParam() != at::kBFloat16 || !has_fp8_products(at::Device(at::kCUDA, 0)))
    GTEST_SKIP() << "there is no product in e4m3 here";
  const Linear layer(on_gpu(quantised(64, 128), Product::kFp8));
  EXPECT_EQ(layer.apply(at::zeros({32, 128}, random({1}).options())).abs().max().item<float>(), 0.0F);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, QuantisedLinears, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return info.param == at::kFloat ? "fp32" : "bf16"; });

INSTANTIATE_TEST_SUITE_P(Dtypes, Kernels, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return info.param == at::kFloat ? "fp32" : "bf16"; });

}  // namespace
}  // namespace layerpipe::model::ops
