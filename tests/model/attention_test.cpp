// Attention against a softmax over all scores in double.
#include "model/ops/attention.h"

#include <ATen/CPUGeneratorImpl.h>

#include "tests/model/rounding_bound.h"
#include "tests/support/parity_case.h"
#include "tests/support/thread_count.h"

namespace layerpipe::model::ops {
namespace {

using layerpipe::testing::is_within_rounding;

struct Precision {
  const char* name;
  at::ScalarType dtype;
};

enum class Mask { kNone, kCausal };

struct Exact {
  at::Tensor result;         // [queries, heads · head_dim]
  at::Tensor magnitude;      // the same with every value's magnitude
  double largest_score = 0;  // sum of the magnitudes of a score's terms
};

Exact exact_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, Mask mask) {
  const auto heads_first = [](const at::Tensor& x) { return x.to(at::kDouble).transpose(0, 1); };
  const std::int64_t group = query.size(1) / key.size(1);
  const at::Tensor q = heads_first(query) / std::sqrt(static_cast<double>(query.size(2)));
  const at::Tensor k = heads_first(key).repeat_interleave(group, 0);
  const at::Tensor v = heads_first(value).repeat_interleave(group, 0);
  at::Tensor scores = at::matmul(q, k.transpose(1, 2));
  if (mask == Mask::kCausal) {
    const at::Tensor later = at::ones({query.size(0), key.size(0)}, at::kBool).triu(1);
    scores = scores.masked_fill(later, -std::numeric_limits<double>::infinity());
  }
  const at::Tensor p = scores.softmax(-1);
  const auto joined = [](const at::Tensor& x) { return x.transpose(0, 1).reshape({x.size(1), -1}); };
  return {joined(at::matmul(p, v)), joined(at::matmul(p, v.abs())),
          at::matmul(q.abs(), k.abs().transpose(1, 2)).max().item<double>()};
}

class Attention : public ::testing::TestWithParam<Precision> {
 protected:
  // [tokens, heads, head_dim], a part of a larger tensor as in a block's joint projection.
  at::Tensor draw(std::int64_t tokens, std::int64_t heads, std::int64_t head_dim) {
    return at::randn({tokens, heads + 1, head_dim + 8}, generator_, at::TensorOptions())
        .to(GetParam().dtype)
        .narrow(1, 1, heads)
        .narrow(2, 0, head_dim);
  }

  // A score's error is that of a sum of head_dim products and moves a probability by as much, relatively; so
  // does it the sum that probabilities are divided by. The weighted sum has as many terms as there are keys.
  // In bf16 LibTorch's kernel rounds the probabilities before it multiplies with them.
  void expect_exact(const at::Tensor& result, const Exact& exact, std::int64_t keys, std::int64_t head_dim) {
    const double scores = 2.0 * static_cast<double>(head_dim + 2) * exact.largest_score;
    const double probabilities = GetParam().dtype == at::kBFloat16 ? 0x1p-8 : 0.0;
    const double inner = (static_cast<double>(2 * keys) + scores + 16) * 0x1p-24 + probabilities;
    EXPECT_TRUE(is_within_rounding(result, exact.result, exact.magnitude, inner));
    EXPECT_TRUE(result.is_contiguous());
    EXPECT_EQ(result.scalar_type(), GetParam().dtype);
  }

  at::Generator generator_ = at::make_generator<at::CPUGeneratorImpl>(5);
};

TEST_P(Attention, Full) {
  constexpr std::int64_t kHeadDim = 24;
  for (const std::int64_t queries : {1, 7, 512, 513}) {
    for (const std::int64_t keys : {1, 65, 530}) {
      SCOPED_TRACE(std::to_string(queries) + " queries, " + std::to_string(keys) + " keys");
      const at::Tensor q = draw(queries, 3, kHeadDim);
      const at::Tensor k = draw(keys, 3, kHeadDim);
      const at::Tensor v = draw(keys, 3, kHeadDim);
      expect_exact(full_attention(q, k, v), exact_attention(q, k, v, Mask::kNone), keys, kHeadDim);
    }
  }
}

TEST_P(Attention, CausalWithGroupedHeads) {
  constexpr std::int64_t kHeadDim = 16;
  for (const std::int64_t tokens : {1, 5, 129, 513}) {
    SCOPED_TRACE(std::to_string(tokens) + " tokens");
    const at::Tensor q = draw(tokens, 6, kHeadDim);
    const at::Tensor k = draw(tokens, 2, kHeadDim);
    const at::Tensor v = draw(tokens, 2, kHeadDim);
    expect_exact(causal_attention(q, k, v), exact_attention(q, k, v, Mask::kCausal), tokens, kHeadDim);
  }
}

TEST_P(Attention, ThreadsChangeNoBit) {
  const at::Tensor q = draw(600, 4, 16);
  const at::Tensor k = draw(600, 4, 16);
  const at::Tensor v = draw(600, 4, 16);
  at::Tensor full;
  at::Tensor causal;
  for (const int threads : {1, 2, 5}) {
    const layerpipe::testing::ThreadCount count(threads);
    const at::Tensor full_now = full_attention(q, k, v);
    const at::Tensor causal_now = causal_attention(q, k.narrow(1, 0, 2), v.narrow(1, 0, 2));
    if (threads == 1) {
      full = full_now;
      causal = causal_now;
    }
    EXPECT_TRUE(layerpipe::testing::is_equal(full_now, full)) << threads;
    EXPECT_TRUE(layerpipe::testing::is_equal(causal_now, causal)) << threads;
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, Attention,
                         ::testing::Values(Precision{"fp32", at::kFloat}, Precision{"bf16", at::kBFloat16}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace layerpipe::model::ops
