// The same pipeline on a GPU: the same models, the same limits as diffusers' results on the CPU set.
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "model/latents.h"
#include "runtime/engine.h"
#include "tests/support/parity_case.h"
#include "tests/support/run_engine.h"

namespace layerpipe::runtime {
namespace {

using layerpipe::testing::is_close;
using layerpipe::testing::is_equal;
using layerpipe::testing::relative_l2;

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
  const Result result = run(at::kFloat, parity_.request);
  EXPECT_TRUE(is_equal(result.init_latents, parity_.expected.at("init_latents"))) << "the noise";
  EXPECT_TRUE(is_close(result.prompt_embeds, parity_.expected.at("prompt_embeds"), kFp32Limit));
  EXPECT_TRUE(is_close(result.image_latents, parity_.expected.at("image_latents"), kFp32Limit));
  EXPECT_TRUE(is_close(result.latents, parity_.expected.at("latents"), kFp32Limit));
  const at::Tensor difference =
      (model::tensor_to_pictures(result.decoded).to(at::kInt) - parity_.expected.at("pixels").to(at::kInt))
          .abs();
  EXPECT_LE(difference.max().item<int>(), 1);
  EXPECT_LE(difference.gt(0).to(at::kDouble).mean().item<double>(), 0.001);
}

TEST_P(EngineOnGpu, Bf16IsNotFurtherFromTheTruthThanDiffusers) {
  Request request = parity_.request;
  request.init_latents = parity_.expected.at("init_latents");
  const Result result = run(at::kBFloat16, request);
  const auto check = [&](const std::string& name, const at::Tensor& value) {
    if (!parity_.expected.contains("bf16." + name)) return;
    const at::Tensor& truth = parity_.expected.at(name);
    const double own_error = relative_l2(parity_.expected.at("bf16." + name), truth);
    EXPECT_TRUE(is_close(value, truth, kBf16Factor * own_error)) << name;
  };
  check("prompt_embeds", result.prompt_embeds);
  check("image_latents", result.image_latents);
  check("latents", result.latents);
  check("decoded", result.decoded);
}

TEST_P(EngineOnGpu, TwiceTheSameBits) {
  const Result first = run(at::kBFloat16, parity_.request);
  const Result second = run(at::kBFloat16, parity_.request);
  EXPECT_TRUE(is_equal(first.latents, second.latents));
  EXPECT_TRUE(is_equal(first.decoded, second.decoded));
}

INSTANTIATE_TEST_SUITE_P(Cases, EngineOnGpu, ::testing::ValuesIn(layerpipe::testing::parity_case_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace layerpipe::runtime
