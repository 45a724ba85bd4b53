// The whole pipeline against diffusers, on every committed case.
//
// Limits. fp32: two right programs differ by about 2e-6 here (measured, docs/parity.md), while the smallest
// deliberate mistake of tests/mutations moves something by more than 1e-5. bf16: rounding is chaotic, so the
// measure is the reference's own distance from its fp32 result; 1.2 times that is allowed. Most of the
// latents' distance comes from one rounding that has to be the reference's, that of the timestep: the two
// bf16 results lie within a third of it from each other, and further apart than all of it when the timestep
// is rounded elsewhere.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "model/latents.h"
#include "runtime/engine.h"
#include "tests/support/compare_with_diffusers.h"
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

class EngineParity : public ::testing::TestWithParam<std::string> {
 protected:
  ParityCase parity_ = layerpipe::testing::load_parity_case(GetParam());
};
class EngineBf16Parity : public EngineParity {};

TEST_P(EngineParity, Fp32FromTheSeedEqualsDiffusers) {
  layerpipe::testing::expect_fp32_equals_diffusers(parity_, run_case(parity_, at::kFloat, parity_.request),
                                                   kFp32Limit);
}

TEST_P(EngineBf16Parity, IsNotFurtherFromTheTruthThanDiffusers) {
  Request request = parity_.request;
  request.init_latents = parity_.expected.at("init_latents");
  layerpipe::testing::expect_bf16_is_as_near_as_diffusers(parity_, run_case(parity_, at::kBFloat16, request),
                                                          kBf16Factor);
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
