// The attention of Hopper GPUs beside the definition in float64.
#include "model/kernels/flash_attention.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tuple>

namespace layerpipe::model::kernels {
namespace {

at::Tensor random(at::IntArrayRef shape) {
  return at::randn(shape, at::TensorOptions().device(at::kCUDA).dtype(at::kBFloat16));
}

// [queries, heads · head_dim], float64.
at::Tensor truth_of(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                    double factor = 1) {
  const double scale = factor / std::sqrt(static_cast<double>(query.size(2)));
  const at::Tensor scores = at::einsum("qhd,khd->hqk", {query.to(at::kDouble), key.to(at::kDouble)}) * scale;
  return at::einsum("hqk,khd->qhd", {at::softmax(scores, 2), value.to(at::kDouble)}).flatten(1);
}

// The largest relative error of a row; NaN where there is one.
double error_of(const at::Tensor& out, const at::Tensor& truth) {
  return (at::linalg_vector_norm(out.to(at::kDouble) - truth, 2, 1) / at::linalg_vector_norm(truth, 2, 1))
      .max()
      .item<double>();
}

// Into memory that shows what is not written.
at::Tensor attended(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  at::Tensor out = at::full({query.size(0), query.size(1) * query.size(2)},
                            std::numeric_limits<double>::quiet_NaN(), query.options());
  flash_attention(out, query, key, value);
  return out;
}

// Probabilities and results in bf16, 8 bits of which are kept; measured of cuDNN's kernel: 2e-3 to 6e-3.
constexpr double kMostError = 1e-2;

class OnHopper : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "there is no GPU";
    if (const at::Tensor x = random({1, 1, 64}); !takes_flash_attention(x, x, x))
      GTEST_SKIP() << "this GPU is not of compute capability 9.0, or this build has no kernel for it";
  }
};

// Queries, keys, head_dim.
class FlashAttention
    : public OnHopper,
      public ::testing::WithParamInterface<std::tuple<std::int64_t, std::int64_t, std::int64_t>> {};

TEST_P(FlashAttention, IsTheDefinition) {
  const auto [queries, keys, head_dim] = GetParam();
  const at::Tensor query = random({queries, 3, head_dim}) * 2;
  const at::Tensor key = random({keys, 3, head_dim}) * 2;
  const at::Tensor value = random({keys, 3, head_dim});
  const at::Tensor out = attended(query, key, value);
  EXPECT_LE(error_of(out, truth_of(query, key, value)), kMostError);
  EXPECT_TRUE(at::equal(out, attended(query, key, value))) << "other bits the second time";
}

// Tiles are of 128 queries and 176 keys.
INSTANTIATE_TEST_SUITE_P(Sizes, FlashAttention,
                         ::testing::Combine(::testing::Values(1, 63, 129, 700),
                                            ::testing::Values(1, 15, 175, 176, 177, 353, 1500),
                                            ::testing::Values(64, 128)));

class FlashAttentionOf : public FlashAttention {};

TEST_P(FlashAttentionOf, PartsOfOneTensor) {
  const auto [queries, keys, head_dim] = GetParam();
  const at::Tensor all = random({queries, 3, 5, head_dim});
  const at::Tensor query = all.select(1, 0);
  const at::Tensor key = all.select(1, 1);
  const at::Tensor value = all.select(1, 2);
  ASSERT_TRUE(takes_flash_attention(query, key, value));
  EXPECT_LE(error_of(attended(query, key, value), truth_of(query, key, value)), kMostError);
}

TEST_P(FlashAttentionOf, LargeScoresThatGrowFromTileToTile) {
  const auto [queries, keys, head_dim] = GetParam();
  const at::Tensor query = random({queries, 2, head_dim});
  at::Tensor key = random({keys, 2, head_dim});
  for (std::int64_t i = 0; i < keys; ++i)
    key.select(0, i).mul_(1 + 20.0 * static_cast<double>(keys - i) / keys);
  const at::Tensor value = random({keys, 2, head_dim});
  EXPECT_LE(error_of(attended(query, key, value), truth_of(query, key, value)), 2 * kMostError);
}

// What the tests above have to notice.
TEST_P(FlashAttentionOf, MistakesAreLargerThanTheLimit) {
  const auto [queries, keys, head_dim] = GetParam();
  const at::Tensor query = random({queries, 3, head_dim}) * 2;
  const at::Tensor key = random({keys, 3, head_dim}) * 2;
  const at::Tensor value = random({keys, 3, head_dim});
  const at::Tensor truth = truth_of(query, key, value);
  EXPECT_GT(error_of(truth_of(query, key, value, 1.05), truth), kMostError) << "a wrong scale";
  const auto fewer = [&](const at::Tensor& x) { return x.narrow(0, 0, keys - 1); };
  EXPECT_GT(error_of(truth_of(query, fewer(key), fewer(value)), truth), kMostError) << "a lost key";
  const at::Tensor stale = at::full_like(truth, std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(error_of(stale, truth) <= kMostError) << "what was not written";
}

INSTANTIATE_TEST_SUITE_P(Sizes, FlashAttentionOf,
                         ::testing::Values(std::tuple{300, 300, 128}, std::tuple{300, 300, 64}));

TEST_F(OnHopper, LeavesOtherTensorsToOthers) {
  const at::Tensor x = random({4, 2, 128});
  EXPECT_FALSE(takes_flash_attention(x.to(at::kHalf), x, x));
  EXPECT_FALSE(takes_flash_attention(x.cpu(), x.cpu(), x.cpu()));
  const at::Tensor narrow = random({4, 2, 96});
  EXPECT_FALSE(takes_flash_attention(narrow, narrow, narrow));
  EXPECT_FALSE(takes_flash_attention(x, random({4, 1, 128}), random({4, 1, 128})));
  EXPECT_FALSE(takes_flash_attention(x, x, random({5, 2, 128})));
  const at::Tensor odd = random({4, 2 * 128 + 1}).narrow(1, 1, 256).view({4, 2, 128});
  EXPECT_FALSE(takes_flash_attention(odd, x, x)) << "rows that do not lie at multiples of 16 bytes";
}

}  // namespace
}  // namespace layerpipe::model::kernels
