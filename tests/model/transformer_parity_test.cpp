// One forward of the whole transformer, and the prompts' token ids, against diffusers on every committed
// case. Limits as in tests/runtime/engine_parity_test.cpp.
#include "model/transformer/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "model/pipeline/pipeline.h"
#include "model/weights/safetensors.h"
#include "tests/support/modulation.h"
#include "tests/support/parity_case.h"

namespace layerpipe::model {
namespace {

using layerpipe::testing::is_close;
using layerpipe::testing::ParityCase;
using layerpipe::testing::relative_l2;

constexpr double kFp32Limit = 1e-5;
constexpr double kBf16Factor = 1.2;

class TransformerParity : public ::testing::TestWithParam<std::string> {
 protected:
  // The first prediction of the conditional branch, from the tensors that diffusers had there. `prefix` names
  // its run: "" or "bf16.".
  at::Tensor predict(at::ScalarType dtype, const std::string& prefix) const {
    const ModelConfig config = load_model_config(parity_.model());
    const WeightStore store(
        std::make_shared<SafetensorsSource>(parity_.model() / "transformer", "diffusion_pytorch_model"),
        at::kCPU, dtype);
    const at::Tensor& prompt_embeds = parity_.expected.at(prefix + "prompt_embeds");
    const TokenGrid grid{.frames = parity_.request.layers + 1,
                         .height = parity_.request.picture.size(0) / 16,
                         .width = parity_.request.picture.size(1) / 16,
                         .has_condition = true};
    const auto& axes = config.transformer.axes_dims_rope;
    const JointRotary rotary{image_rotary_table(grid, axes, at::kCPU),
                             text_rotary_table(grid, axes, prompt_embeds.size(0), at::kCPU)};
    return Transformer(store, config.transformer)
        .forward(
            {.latents = parity_.expected.at("init_latents").to(dtype),
             .condition = parity_.expected.at(prefix + "image_latents"),
             .prompt_embeds = prompt_embeds},
            layerpipe::testing::modulation_of(store, config.transformer, {0, config.transformer.num_layers},
                                              parity_.expected.at("timesteps").select(0, 0).item<float>()),
            rotary);
  }

  ParityCase parity_ = layerpipe::testing::load_parity_case(GetParam());
};
class TransformerBf16Parity : public TransformerParity {};
class PromptParity : public TransformerParity {};

TEST_P(TransformerParity, PredictionEqualsDiffusers) {
  EXPECT_TRUE(is_close(predict(at::kFloat, ""), parity_.expected.at("noise_pred"), kFp32Limit));
}

TEST_P(TransformerBf16Parity, PredictionIsNotFurtherFromTheTruthThanThatOfDiffusers) {
  const at::Tensor& truth = parity_.expected.at("noise_pred");
  const double own_error = relative_l2(parity_.expected.at("bf16.noise_pred"), truth);
  EXPECT_TRUE(is_close(predict(at::kBFloat16, "bf16."), truth, kBf16Factor * own_error));
}

std::vector<std::int64_t> values_of(const at::Tensor& ids) {
  const at::Tensor flat = ids.to(at::kLong).flatten().contiguous();
  return {flat.const_data_ptr<std::int64_t>(), flat.const_data_ptr<std::int64_t>() + flat.numel()};
}

TEST_P(PromptParity, TokenIdsAreThoseOfDiffusers) {
  const Tokenizer tokenizer = Tokenizer::load(parity_.model() / "tokenizer");
  const auto ids = [&](const std::string& prompt) {
    return pipeline_of(PipelineClass::kLayered).prompt_template().token_ids(tokenizer, prompt);
  };
  EXPECT_EQ(ids(parity_.request.prompt), values_of(parity_.expected.at("prompt_ids")));
  if (parity_.expected.contains("negative_prompt_ids")) {
    EXPECT_EQ(ids(*parity_.request.negative_prompt), values_of(parity_.expected.at("negative_prompt_ids")));
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, TransformerParity,
                         ::testing::ValuesIn(layerpipe::testing::parity_case_names()),
                         [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Cases, TransformerBf16Parity,
                         ::testing::ValuesIn(layerpipe::testing::bf16_parity_case_names()),
                         [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Cases, PromptParity, ::testing::ValuesIn(layerpipe::testing::parity_case_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace layerpipe::model
