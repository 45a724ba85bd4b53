// The same pipeline on a GPU: the same models, the same limits as diffusers' results on the CPU set.
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <filesystem>

#include "common/errors.h"
#include "runtime/device/memory.h"
#include "runtime/engine.h"
#include "tests/support/compare_with_diffusers.h"
#include "tests/support/model_copy.h"
#include "tests/support/parity_case.h"
#include "tests/support/run_engine.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::runtime {
namespace {

using layerpipe::testing::is_equal;

// Two right programs on different devices; the CPU's own distance is about 2e-6.
constexpr double kFp32Limit = 1e-4;
constexpr double kBf16Factor = 1.2;

class EngineOnGpu : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "there is no GPU";
  }
  Result run(at::ScalarType dtype, const Request& request) {
    Engine engine({.model_folder = parity_.model(), .device = at::Device(at::kCUDA, 0), .dtype = dtype});
    const std::atomic<bool> stop{false};
    return layerpipe::testing::run_engine(engine, {&request, 1}, {}, stop).front();
  }
  layerpipe::testing::ParityCase parity_ = layerpipe::testing::load_parity_case(GetParam());
};

TEST_P(EngineOnGpu, Fp32EqualsDiffusers) {
  layerpipe::testing::expect_fp32_equals_diffusers(parity_, run(at::kFloat, parity_.request), kFp32Limit);
}

TEST_P(EngineOnGpu, Bf16IsNotFurtherFromTheTruthThanDiffusers) {
  if (!parity_.has_bf16) GTEST_SKIP() << "the case holds no bf16 results";
  Request request = parity_.request;
  request.init_latents = parity_.expected.at("init_latents");
  layerpipe::testing::expect_bf16_is_as_near_as_diffusers(parity_, run(at::kBFloat16, request), kBf16Factor);
}

TEST_P(EngineOnGpu, TwiceTheSameBits) {
  const Result first = run(at::kBFloat16, parity_.request);
  const Result second = run(at::kBFloat16, parity_.request);
  EXPECT_TRUE(is_equal(first.latents, second.latents));
  EXPECT_TRUE(is_equal(first.decoded, second.decoded));
}

// A model folder of the published sizes, without weights.
class FullSizeOnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "there is no GPU";
    layerpipe::testing::make_full_size_model(model_);
  }
  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path model_ = folder_.path() / "model";
};

TEST_F(FullSizeOnGpu, SaysWhatItHeldWhenMemoryRunsOut) {
  const at::Device device(at::kCUDA, 0);
  Engine engine(
      {.model_folder = model_, .device = device, .dtype = at::kBFloat16, .weights = WeightOrigin::kRandom});
  // Room for the transformer's weights and hardly anything else.
  const std::uint64_t left = engine.weight_bytes(partition::Network::kTransformer) + (64ULL << 20);
  const std::uint64_t free = memory_use(device).free;
  if (free < left) GTEST_SKIP() << "the GPU has no room for the transformer";
  const at::Tensor ballast = at::empty({static_cast<std::int64_t>(free - left)},
                                       at::TensorOptions().device(device).dtype(at::kByte));
  Request request;
  request.picture = at::zeros({640, 640, 4}, at::kByte);
  request.prompt = "a poster";
  const std::atomic<bool> stop{false};
  try {
    layerpipe::testing::run_engine(engine, {&request, 1}, {}, stop);
    FAIL() << "it fitted";
  } catch (const common::DoesNotFitError& error) {
    EXPECT_THAT(error.what(), ::testing::MatchesRegex(
                                  "cuda:0 has not enough memory to denoise: [0-9.]+ .iB more were asked for; "
                                  "the weights alone take 25\\.16 GiB"));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, EngineOnGpu, ::testing::ValuesIn(layerpipe::testing::parity_case_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace layerpipe::runtime
