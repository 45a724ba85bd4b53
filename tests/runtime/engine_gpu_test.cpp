// The same pipeline on a GPU: the same models, the same limits as diffusers' results on the CPU set.
#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "runtime/device/memory.h"
#include "runtime/engine.h"
#include "tests/support/compare_with_diffusers.h"
#include "tests/support/model_copy.h"
#include "tests/support/parity_case.h"
#include "tests/support/run_engine.h"
#include "tests/support/split_plan.h"
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

// As wide as the published model, with fewer blocks and text layers, so that a window takes seconds.
class LevelMemoryOnGpu : public FullSizeOnGpu, public ::testing::WithParamInterface<partition::Residency> {
 protected:
  static constexpr int kBlocks = 6;
  static constexpr int kTextLayers = 3;
  static constexpr at::DeviceIndex kGpu = 0;

  void SetUp() override {
    FullSizeOnGpu::SetUp();
    if (IsSkipped()) return;
    set(model_ / "transformer" / "config.json", "num_layers", kBlocks);
    set(model_ / "text_encoder" / "config.json", "num_hidden_layers", kTextLayers);
  }

  // Another size, other layers, steps and prompts each time. The last window is the third one again, since an
  // engine holds what it has encoded last; between them lie larger and smaller ones.
  static Request window(int number) {
    struct Shape {
      std::int64_t height;
      std::int64_t width;
      std::int64_t layers;
      std::int64_t steps;
    };
    constexpr Shape kShapes[] = {{256, 256, 2, 1}, {512, 384, 1, 2}, {384, 384, 3, 2}, {640, 640, 4, 3},
                                 {128, 256, 6, 1}, {512, 768, 2, 1}, {64, 64, 1, 4},   {1024, 1024, 1, 1},
                                 {384, 640, 5, 2}, {320, 320, 1, 1}};
    if (number + 1 == kWindows) number = kSettled - 1;
    const Shape& shape = kShapes[static_cast<std::size_t>(number) % std::size(kShapes)];
    Request request;
    request.picture = at::zeros({shape.height, shape.width, 4}, at::kByte);
    request.prompt = "a poster";
    for (int word = 0; word < number; ++word) request.prompt += " of the sea";
    request.layers = shape.layers;
    request.steps = shape.steps;
    return request;
  }

  // What the driver has given away of the GPU's memory, to whomever.
  static std::uint64_t taken() {
    const auto [free, total] = at::accelerator::getMemoryInfo(kGpu);
    return total - free;
  }

  static constexpr int kWindows = 20;
  static constexpr int kSettled = 3;

 private:
  static void set(const std::filesystem::path& file, const std::string& key, int value) {
    nlohmann::json config = nlohmann::json::parse(std::ifstream(file));
    config.at(key) = value;
    std::ofstream(file) << config;
  }
};

TEST_P(LevelMemoryOnGpu, FromTheThirdWindowToTheTwentieth) {
  const at::Device device(at::kCUDA, kGpu);
  Engine engine(
      {.model_folder = model_, .device = device, .dtype = at::kBFloat16, .weights = WeightOrigin::kRandom});
  const partition::Plan plan = layerpipe::testing::split_plan({.blocks = {kBlocks},
                                                               .text_layers = {kTextLayers},
                                                               .vae_percent = {100},
                                                               .residency = GetParam(),
                                                               .kept = 1,
                                                               .most_in_pass = 2});
  const std::atomic<bool> stop{false};
  MemoryUse settled;
  std::uint64_t settled_taken = 0;
  int results = 0;
  for (int number = 0; number < kWindows; ++number) {
    const Request request = window(number);
    engine.run({&request, 1}, plan,
               {.progress = {}, .result = [&](std::size_t, const Result&) { ++results; }, .failed = {}},
               stop);
    if (number + 1 != kSettled) continue;
    settled = memory_use(device);
    settled_taken = taken();
  }
  EXPECT_EQ(results, kWindows);
  // LibTorch shares a segment of that size between tensors of less than 10 MiB, and CUDA loads the code of a
  // kernel that is called for the first time.
  constexpr double kSegment = 20 << 20;
  const auto level = [](std::uint64_t bytes) { return 1.01 * static_cast<double>(bytes) + kSegment; };
  EXPECT_LE(static_cast<double>(memory_use(device).in_use), level(settled.in_use));
  EXPECT_LE(static_cast<double>(taken()), level(settled_taken));
}

INSTANTIATE_TEST_SUITE_P(Residencies, LevelMemoryOnGpu,
                         ::testing::Values(partition::Residency::kResident, partition::Residency::kPhased,
                                           partition::Residency::kStreamed),
                         [](const auto& info) { return std::string(to_string(info.param)); });

INSTANTIATE_TEST_SUITE_P(Cases, EngineOnGpu, ::testing::ValuesIn(layerpipe::testing::parity_case_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace layerpipe::runtime
