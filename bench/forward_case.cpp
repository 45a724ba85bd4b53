#include "bench/forward_case.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/randn.h>

#include <array>

#include "bench/command_line.h"
#include "bench/support.h"
#include "model/pipeline/pipeline.h"
#include "model/weights/tensor_source.h"

namespace layerpipe::bench {
namespace {

model::TransformerConfig layered_config(std::int64_t blocks) {
  model::TransformerConfig config;
  config.num_layers = blocks;
  config.use_additional_t_cond = true;
  config.use_layer3d_rope = true;
  return config;
}

model::WeightStore random_store(const ForwardOptions& options) {
  return {std::make_shared<model::RandomTensorSource>("transformer", at::kBFloat16),
          device_of(options.device), dtype_of(options.dtype)};
}

}  // namespace

void add_forward_options(CommandLine& app, ForwardOptions& options) {
  app.add("--resolution", options.resolution);
  app.add("--layers", options.layers);
  app.add("--text-tokens", options.text_tokens);
  app.add("--blocks", options.blocks);
  app.add_device(options.device);
  app.add_dtype(options.dtype);
}

ForwardCase::ForwardCase(const ForwardOptions& options)
    : device_(device_of(options.device)),
      config_(layered_config(options.blocks)),
      grid_(pipeline_of(model::PipelineClass::kLayered)
                .token_grid({.transformer = config_}, {options.resolution, options.resolution},
                            options.layers)),
      text_tokens_(options.text_tokens),
      modulation_(config_, {0, options.blocks}, 1, device_, dtype_of(options.dtype)),
      transformer_(random_store(options), config_) {
  const std::array timesteps{kTimestep};
  modulation_.make(random_store(options), timesteps, {});
  const auto on_device = at::TensorOptions().device(device_).dtype(dtype_of(options.dtype));
  at::manual_seed(1);
  input_ = {.latents = at::randn({grid_.latent_tokens(), config_.in_channels}, on_device),
            .condition = at::randn({grid_.frame_tokens(), config_.in_channels}, on_device),
            .prompt_embeds = at::randn({text_tokens_, config_.joint_attention_dim}, on_device)};
  rotary_ = {model::image_rotary_table(grid_, config_.axes_dims_rope, device_),
             model::text_rotary_table(grid_, config_.axes_dims_rope, text_tokens_, device_)};
  wait_for(device_);
}

bool ForwardCase::is_right() const {
  const at::Tensor first = forward();
  return at::isfinite(first).all().item<bool>() && at::equal(first, forward());
}

double ForwardCase::operations() const {
  const auto tokens = static_cast<double>(grid_.image_tokens() + text_tokens_);
  const auto dim = static_cast<double>(config_.inner_dim());
  return static_cast<double>(config_.num_layers) * (24 * tokens * dim * dim + 4 * tokens * tokens * dim);
}

}  // namespace layerpipe::bench
