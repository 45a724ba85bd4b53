// What must not change a bit: the number of threads, and what else is computed beside a request.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "runtime/engine.h"
#include "tests/support/parity_case.h"
#include "tests/support/run_engine.h"
#include "tests/support/thread_count.h"

namespace layerpipe::runtime {
namespace {

using layerpipe::testing::is_equal;
using layerpipe::testing::ThreadCount;

std::vector<Result> run(const std::filesystem::path& model, at::ScalarType dtype,
                        const std::vector<Request>& requests, WeightOrigin weights = WeightOrigin::kFiles) {
  Engine engine({.model_folder = model, .device = at::kCPU, .dtype = dtype, .weights = weights});
  const std::atomic<bool> stop{false};
  return layerpipe::testing::run_engine(engine, requests, {}, stop);
}

void expect_same(const Result& a, const Result& b) {
  EXPECT_TRUE(is_equal(a.prompt_embeds, b.prompt_embeds)) << "prompt_embeds";
  EXPECT_TRUE(is_equal(a.image_latents, b.image_latents)) << "image_latents";
  EXPECT_TRUE(is_equal(a.latents, b.latents)) << "latents";
  EXPECT_TRUE(is_equal(a.decoded, b.decoded)) << "decoded";
}

struct Precision {
  const char* name;
  at::ScalarType dtype;
};

class EngineInvariance : public ::testing::TestWithParam<Precision> {};

TEST_P(EngineInvariance, ThreadsChangeNoBit) {
  // Larger than a row tile in both streams, so that there is work to share out: 3 frames and a condition of
  // 16 × 12 tokens.
  auto parity = layerpipe::testing::load_parity_case("long_prompt");
  Request request = parity.request;
  request.picture = at::randint(0, 256, {256, 192, 4}, at::make_generator<at::CPUGeneratorImpl>(1),
                                at::TensorOptions().dtype(at::kByte));
  request.layers = 2;
  request.steps = 2;
  std::vector<Result> results;
  for (const int threads : {1, 2, 3, 8}) {
    const ThreadCount count(threads);
    results.push_back(run(parity.model(), GetParam().dtype, {request}).front());
  }
  for (std::size_t i = 1; i < results.size(); ++i) expect_same(results[i], results[0]);
}

TEST_P(EngineInvariance, CompanyChangesNoBit) {
  const auto parity = layerpipe::testing::load_parity_case("plain");
  Request other = parity.request;
  other.prompt = "something else";
  other.seed = 5;
  other.picture = parity.request.picture.flip({0});
  const auto alone = run(parity.model(), GetParam().dtype, {parity.request});
  const auto together = run(parity.model(), GetParam().dtype, {other, parity.request, other});
  expect_same(together[1], alone[0]);
  expect_same(together[2], together[0]);
  EXPECT_FALSE(at::equal(together[0].latents, alone[0].latents));
}

TEST_P(EngineInvariance, RandomWeightsAreTheSameEachTime) {
  const auto parity = layerpipe::testing::load_parity_case("plain");
  const auto first = run(parity.model(), GetParam().dtype, {parity.request}, WeightOrigin::kRandom);
  const ThreadCount count(1);
  expect_same(first[0], run(parity.model(), GetParam().dtype, {parity.request}, WeightOrigin::kRandom)[0]);
}

INSTANTIATE_TEST_SUITE_P(Precisions, EngineInvariance,
                         ::testing::Values(Precision{"fp32", at::kFloat}, Precision{"bf16", at::kBFloat16}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace layerpipe::runtime
