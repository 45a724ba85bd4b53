// Any text as each of the config files of a model folder.
#include <ATen/core/Tensor.h>

#include "model/config.h"
#include "model/pipeline/pipeline.h"
#include "tests/fuzz/fuzz_target.h"

using layerpipe::testing::accept_or_refuse;
using layerpipe::testing::kInputName;
namespace model = layerpipe::model;

namespace {

// The sizes that the networks are made from, without the networks.
void use(const model::TransformerConfig& config) {
  layerpipe::common::ensure(config.inner_dim() > 0, "a transformer without width");
}

void use(const model::VaeConfig& config) {
  layerpipe::common::ensure(config.spatial_compression_ratio() == 8, "a VAE of another ratio");
}

void use(const model::TextEncoderConfig& config) {
  layerpipe::common::ensure(config.head_dim() > 0, "a text encoder without width");
}

void use(const model::SchedulerConfig& config) {
  for (const auto pipeline : {model::PipelineClass::kLayered, model::PipelineClass::kTextToImage}) {
    layerpipe::common::ensure(pipeline_of(pipeline).schedule(config, 3, 1600).steps() == 3,
                              "steps are missing");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = layerpipe::testing::text_of(data, size);
  accept_or_refuse([&] { use(model::parse_transformer_config(text, kInputName)); });
  accept_or_refuse([&] { use(model::parse_vae_config(text, kInputName)); });
  accept_or_refuse([&] { use(model::parse_text_encoder_config(text, kInputName)); });
  accept_or_refuse([&] { use(model::parse_scheduler_config(text, kInputName)); });
  accept_or_refuse([&] { model::parse_model_index(text, kInputName); });
  return 0;
}
