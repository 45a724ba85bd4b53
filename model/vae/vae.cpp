#include "model/vae/vae.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include "model/ops/ops.h"
#include "model/vae/vae_strips.h"

namespace layerpipe::model {
namespace {

using common::Range;

// Rows `wanted` of a tensor that holds rows `held` of the same resolution; a view.
at::Tensor crop(const at::Tensor& x, const Range& held, const Range& wanted) {
  return x.narrow(2, wanted.begin - held.begin, wanted.size());
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor load_norm_out(const WeightStore& store, std::int64_t channels) {
  return store.get("norm_out.gamma", {channels, 1, 1, 1}).view({channels});
}

at::Tensor per_channel(const std::vector<double>& values, const at::Tensor& like) {
  return at::tensor(values, at::kFloat).to(like.device(), like.scalar_type()).view({1, -1, 1, 1});
}

std::int64_t middle_width(const VaeConfig& config) {
  return config.base_dim * config.dim_mult.back();
}

}  // namespace

at::Tensor normalise_latents(const at::Tensor& z, const VaeConfig& config) {
  return (z - per_channel(config.latents_mean, z)) / per_channel(config.latents_std, z);
}

at::Tensor denormalise_latents(const at::Tensor& z, const VaeConfig& config) {
  return z / (1.0 / per_channel(config.latents_std, z)) + per_channel(config.latents_mean, z);
}

VaeEncoder::VaeEncoder(const WeightStore& vae, const VaeConfig& config)
    : config_(config),
      conv_in_(load_convolution(vae.scope("encoder"), "conv_in", config.input_channels, config.base_dim, 3)),
      middle_(vae.scope("encoder").scope("mid_block"), middle_width(config)),
      norm_out_(load_norm_out(vae.scope("encoder"), middle_width(config))),
      conv_out_(
          load_convolution(vae.scope("encoder"), "conv_out", middle_width(config), 2 * config.z_dim, 3)),
      quant_conv_(load_convolution(vae, "quant_conv", 2 * config.z_dim, 2 * config.z_dim, 1)) {
  const WeightStore store = vae.scope("encoder");
  std::int64_t width = config.base_dim;
  std::int64_t index = 0;  // the file counts residual blocks and downsamplings in one list
  for (std::size_t i = 0; i < config.dim_mult.size(); ++i) {
    Level level;
    const std::int64_t out = config.base_dim * config.dim_mult[i];
    for (std::int64_t j = 0; j < config.num_res_blocks; ++j) {
      level.residuals.emplace_back(store.scope("down_blocks", index++), width, out);
      width = out;
    }
    if (i + 1 < config.dim_mult.size()) level.downsample.emplace(store.scope("down_blocks", index++), out);
    levels_.push_back(std::move(level));
  }
}

at::Tensor VaeEncoder::forward_strip(const at::Tensor& picture, const Range& strip) const {
  const std::int64_t latent_rows = picture.size(2) / config_.spatial_compression_ratio();
  const auto rows = encoder_strip_rows(config_, strip, latent_rows);
  at::Tensor x = convolve(channels_last(picture.narrow(2, rows[0].begin, rows[0].size())), conv_in_);
  x = crop(x, rows[0], rows[1]);
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    x = channels_last(x);
    for (const auto& residual : levels_[i].residuals) x = residual.forward(x);
    Range held = rows[i + 1];
    if (levels_[i].downsample) {
      // Output row r reads rows from 2r on: the first even row that is held makes the first whole output row.
      const std::int64_t first = (held.begin + 1) / 2;
      x = levels_[i].downsample->forward(crop(x, held, {2 * first, held.end}));
      held = {first, first + x.size(2)};
    }
    x = crop(x, held, rows[i + 2]);
  }
  return x;
}

at::Tensor VaeEncoder::forward(const at::Tensor& picture) const {
  const auto strips = vae_strips(picture.size(2) / config_.spatial_compression_ratio());
  std::vector<at::Tensor> parts(strips.size());
  ops::for_each_task(picture.device(), static_cast<std::int64_t>(strips.size()), [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    parts[index] = forward_strip(picture, strips[index]);
  });
  return forward_middle(at::cat(parts, 2));
}

at::Tensor VaeEncoder::forward_middle(const at::Tensor& joined) const {
  const at::Tensor middle = middle_.forward(channels_last(joined));
  at::Tensor moments;
  ops::for_each_task(joined.device(), 1, [&](std::int64_t) {
    moments = convolve(norm_and_convolve(middle, norm_out_, conv_out_), quant_conv_);
  });
  return moments.narrow(1, 0, config_.z_dim).contiguous();
}

VaeDecoder::VaeDecoder(const WeightStore& vae, const VaeConfig& config)
    : config_(config),
      post_quant_conv_(load_convolution(vae, "post_quant_conv", config.z_dim, config.z_dim, 1)),
      conv_in_(load_convolution(vae.scope("decoder"), "conv_in", config.z_dim, middle_width(config), 3)),
      middle_(vae.scope("decoder").scope("mid_block"), middle_width(config)),
      norm_out_(load_norm_out(vae.scope("decoder"), config.base_dim * config.dim_mult.front())),
      conv_out_(load_convolution(vae.scope("decoder"), "conv_out", config.base_dim * config.dim_mult.front(),
                                 config.input_channels, 3)) {
  std::int64_t width = middle_width(config);
  for (std::size_t i = 0; i < config.dim_mult.size(); ++i) {
    const WeightStore store = vae.scope("decoder").scope("up_blocks", static_cast<std::int64_t>(i));
    const std::int64_t out = config.base_dim * config.dim_mult[config.dim_mult.size() - 1 - i];
    Level level;
    for (std::int64_t j = 0; j < config.num_res_blocks + 1; ++j) {
      level.residuals.emplace_back(store.scope("resnets", j), width, out);
      width = out;
    }
    if (i + 1 < config.dim_mult.size()) {
      level.upsample.emplace(store.scope("upsamplers", 0), out);
      width = out / 2;
    }
    levels_.push_back(std::move(level));
  }
}

at::Tensor VaeDecoder::forward_middle(const at::Tensor& latents) const {
  std::vector<at::Tensor> frames(static_cast<std::size_t>(latents.size(0)));
  ops::for_each_task(latents.device(), latents.size(0), [&](std::int64_t frame) {
    frames[static_cast<std::size_t>(frame)] =
        convolve(convolve(channels_last(latents.narrow(0, frame, 1)), post_quant_conv_), conv_in_);
  });
  return middle_.forward(channels_last(at::cat(frames)));
}

at::Tensor VaeDecoder::forward_strip(const at::Tensor& middle, const Range& strip) const {
  const auto rows = decoder_strip_rows(config_, strip, middle.size(2));
  at::Tensor x = middle.narrow(2, rows[0].begin, rows[0].size());
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    x = channels_last(x);
    for (const auto& residual : levels_[i].residuals) x = residual.forward(x);
    Range held = rows[i];
    if (levels_[i].upsample) {
      x = levels_[i].upsample->forward(x);
      held = {2 * held.begin, 2 * held.end};
    }
    x = crop(x, held, rows[i + 1]);
  }
  x = norm_and_convolve(channels_last(x), norm_out_, conv_out_);
  const std::int64_t scale = config_.spatial_compression_ratio();
  return crop(x, rows.back(), {scale * strip.begin, scale * strip.end}).clamp(-1.0, 1.0);
}

at::Tensor VaeDecoder::forward(const at::Tensor& latents) const {
  const at::Tensor middle = forward_middle(latents);
  const auto strips = vae_strips(latents.size(2));
  const std::int64_t scale = config_.spatial_compression_ratio();
  const at::Tensor pictures =
      at::empty({latents.size(0), config_.input_channels, scale * latents.size(2), scale * latents.size(3)},
                latents.options());
  const auto per_frame = static_cast<std::int64_t>(strips.size());
  ops::for_each_task(latents.device(), latents.size(0) * per_frame, [&](std::int64_t task) {
    const std::int64_t frame = task / per_frame;
    const Range& strip = strips[static_cast<std::size_t>(task % per_frame)];
    pictures.narrow(0, frame, 1)
        .narrow(2, scale * strip.begin, scale * strip.size())
        .copy_(forward_strip(middle.narrow(0, frame, 1), strip));
  });
  return pictures;
}

}  // namespace layerpipe::model
