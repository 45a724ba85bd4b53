// Files in the quantised formats that people have (tools/parity/make_quantised.py), as a single file beside a
// model folder: the latents are those that diffusers computes with the weights that they stand for.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "model/weights/safetensors.h"
#include "tests/support/parity_case.h"
#include "tests/support/run_engine.h"

namespace layerpipe::runtime {
namespace {

using layerpipe::testing::is_close;
using layerpipe::testing::relative_l2;

constexpr double kFp32Limit = 1e-5;

class QuantisedParity : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path file() const { return folder_ / (GetParam() + ".safetensors"); }
  std::string component() const { return GetParam().ends_with("_text") ? "text_encoder" : "transformer"; }
  at::Tensor expected() const {
    return model::SafetensorsFile(folder_ / "latents.safetensors").read(GetParam()).squeeze(0);
  }
  at::Tensor latents(const EngineConfig& config, const Request& request) const {
    Engine engine(config);
    const std::atomic<bool> stop{false};
    return layerpipe::testing::run_engine(engine, {&request, 1}, {}, stop).front().latents;
  }
  EngineConfig config(at::ScalarType dtype) const {
    return {.model_folder = parity_.model(), .dtype = dtype, .files = {{component(), file()}}};
  }

  const std::filesystem::path folder_ = layerpipe::testing::test_data() / "quantised";
  const testing::ParityCase parity_ = layerpipe::testing::load_parity_case("plain");
};

TEST_P(QuantisedParity, LatentsAreThoseOfTheDequantisedWeights) {
  EXPECT_TRUE(is_close(latents(config(at::kFloat), parity_.request), expected(), kFp32Limit));
  // Others than without the quantisation, or nothing would have been tested.
  EXPECT_GT(relative_l2(expected(), parity_.expected.at("latents")), 10 * kFp32Limit);
}

// What is computed in is another matter than what weights are stored in.
TEST_P(QuantisedParity, ComputesInBf16) {
  Request request = parity_.request;
  request.init_latents = parity_.expected.at("init_latents");
  const at::Tensor bf16 = latents(config(at::kBFloat16), request);
  EXPECT_EQ(bf16.scalar_type(), at::kBFloat16);
  const double own = relative_l2(parity_.expected.at("bf16.latents"), parity_.expected.at("latents"));
  EXPECT_LE(relative_l2(bf16, expected()), 1.5 * own);
}

// Such weights are in memory as they are in the file.
TEST_P(QuantisedParity, TakesLessMemory) {
  const auto network =
      component() == "transformer" ? partition::Network::kTransformer : partition::Network::kTextEncoder;
  const Engine quantised(config(at::kFloat));
  const Engine usual({.model_folder = parity_.model(), .dtype = at::kFloat});
  EXPECT_LT(quantised.weight_bytes(network), usual.weight_bytes(network) * 7 / 10);
}

INSTANTIATE_TEST_SUITE_P(Formats, QuantisedParity,
                         ::testing::Values("comfy_mixed", "comfy_scaled", "comfy_scaled_text", "convrot",
                                           "plain", "scale_for_all", "scale_for_rows"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace layerpipe::runtime
