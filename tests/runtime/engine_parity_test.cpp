// The whole pipeline against diffusers, on every committed case.
//
// Limits. fp32: two right programs differ by about 2e-6 here (measured, docs/parity.md), while the smallest
// deliberate mistake of tests/mutations moves something by more than 1e-5. bf16: rounding is chaotic, so the
// measure is the reference's own distance from its fp32 result; 1.2 times that is allowed. Most of the
// latents' distance comes from one rounding that has to be the reference's, that of the timestep: the two
// bf16 results lie within a third of it from each other, and further apart than all of it when the timestep
// is rounded elsewhere.
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
using layerpipe::testing::ParityCase;
using layerpipe::testing::relative_l2;

constexpr double kFp32Limit = 1e-5;
constexpr double kBf16Factor = 1.2;
constexpr double kBf16ApartFactor = 0.6;

Result run_case(const ParityCase& parity, at::ScalarType dtype, const Request& request) {
  Engine engine({.model_folder = parity.model(), .device = at::kCPU, .dtype = dtype});
  const std::atomic<bool> stop{false};
  return layerpipe::testing::run_engine(engine, {&request, 1}, {}, stop).front();
}

std::map<std::string, at::Tensor> by_name(const Result& result) {
  std::map<std::string, at::Tensor> tensors{{"prompt_embeds", result.prompt_embeds},
                                            {"image_latents", result.image_latents},
                                            {"latents", result.latents},
                                            {"decoded", result.decoded}};
  if (result.negative_prompt_embeds.defined())
    tensors["negative_prompt_embeds"] = result.negative_prompt_embeds;
  return tensors;
}

class EngineParity : public ::testing::TestWithParam<std::string> {
 protected:
  ParityCase parity_ = layerpipe::testing::load_parity_case(GetParam());
};
class EngineBf16Parity : public EngineParity {};

TEST_P(EngineParity, Fp32FromTheSeedEqualsDiffusers) {
  const Result result = run_case(parity_, at::kFloat, parity_.request);
  EXPECT_TRUE(is_equal(result.init_latents, parity_.expected.at("init_latents"))) << "the noise";
  for (const auto& [name, tensor] : by_name(result)) {
    if (parity_.expected.contains(name)) {
      EXPECT_TRUE(is_close(tensor, parity_.expected.at(name), kFp32Limit)) << name;
    }
  }
  const at::Tensor pixels = model::tensor_to_pictures(result.decoded).to(at::kInt);
  const at::Tensor difference = (pixels - parity_.expected.at("pixels").to(at::kInt)).abs();
  EXPECT_LE(difference.max().item<int>(), 1);
  EXPECT_LE(difference.gt(0).to(at::kDouble).mean().item<double>(), 0.001);
}

TEST_P(EngineBf16Parity, IsNotFurtherFromTheTruthThanDiffusers) {
  Request request = parity_.request;
  request.init_latents = parity_.expected.at("init_latents");
  const Result result = run_case(parity_, at::kBFloat16, request);
  for (const auto& [name, tensor] : by_name(result)) {
    if (!parity_.expected.contains("bf16." + name)) continue;
    const at::Tensor& truth = parity_.expected.at(name);
    EXPECT_TRUE(
        is_close(tensor, truth, kBf16Factor * relative_l2(parity_.expected.at("bf16." + name), truth)))
        << name;
  }
}

TEST_P(EngineBf16Parity, LatentsFollowTheRoundingsOfDiffusers) {
  Request request = parity_.request;
  request.init_latents = parity_.expected.at("init_latents");
  const Result result = run_case(parity_, at::kBFloat16, request);
  const at::Tensor& theirs = parity_.expected.at("bf16.latents");
  const double own_error = relative_l2(theirs, parity_.expected.at("latents"));
  EXPECT_TRUE(is_close(result.latents, theirs, kBf16ApartFactor * own_error));
}

TEST_P(EngineBf16Parity, NoiseIsDrawnInBf16) {
  const auto& request = parity_.request;
  const at::Tensor noise =
      model::draw_noise({request.layers + 1, 16, request.picture.size(0) / 8, request.picture.size(1) / 8},
                        request.seed, model::SeedDevice::kCpu, at::kBFloat16);
  const at::Tensor& expected = parity_.expected.at("bf16.noise");
  EXPECT_TRUE(is_equal(noise.flatten().narrow(0, 0, expected.numel()), expected));
}

INSTANTIATE_TEST_SUITE_P(Cases, EngineParity, ::testing::ValuesIn(layerpipe::testing::parity_case_names()),
                         [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Cases, EngineBf16Parity,
                         ::testing::ValuesIn(layerpipe::testing::bf16_parity_case_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace layerpipe::runtime
