#include "tests/support/compare_with_diffusers.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include "model/latents.h"

namespace layerpipe::testing {

std::map<std::string, at::Tensor> tensors_by_name(const runtime::Result& result) {
  std::map<std::string, at::Tensor> tensors{{"prompt_embeds", result.prompt_embeds},
                                            {"image_latents", result.image_latents},
                                            {"latents", result.latents},
                                            {"decoded", result.decoded}};
  if (result.negative_prompt_embeds.defined())
    tensors["negative_prompt_embeds"] = result.negative_prompt_embeds;
  return tensors;
}

void expect_fp32_equals_diffusers(const ParityCase& parity, const runtime::Result& result, double limit) {
  EXPECT_TRUE(is_equal(result.init_latents, parity.expected.at("init_latents"))) << "the noise";
  for (const auto& [name, tensor] : tensors_by_name(result)) {
    if (!parity.expected.contains(name)) continue;
    EXPECT_TRUE(is_close(tensor, parity.expected.at(name), limit)) << name;
  }
  const at::Tensor pixels = model::tensor_to_pictures(result.decoded).to(at::kInt);
  const at::Tensor difference = (pixels - parity.expected.at("pixels").to(at::kInt)).abs();
  EXPECT_LE(difference.max().item<int>(), 1);
  EXPECT_LE(difference.gt(0).to(at::kDouble).mean().item<double>(), 0.001);
}

void expect_bf16_is_as_near_as_diffusers(const ParityCase& parity, const runtime::Result& result,
                                         double factor) {
  int compared = 0;
  for (const auto& [name, tensor] : tensors_by_name(result)) {
    if (!parity.expected.contains("bf16." + name)) continue;
    const at::Tensor& truth = parity.expected.at(name);
    const double own_error = relative_l2(parity.expected.at("bf16." + name), truth);
    EXPECT_TRUE(is_close(tensor, truth, factor * own_error)) << name;
    ++compared;
  }
  EXPECT_GT(compared, 0) << "the case holds no bf16 results";
}

}  // namespace layerpipe::testing
