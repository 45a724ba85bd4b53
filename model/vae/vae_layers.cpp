#include "model/vae/vae_layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_upsample_nearest_exact2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>

#include <functional>
#include <vector>

#include "model/ops/attention.h"
#include "model/ops/cpu_bf16.h"
#include "model/ops/ops.h"
#include "model/ops/tiles.h"

namespace layerpipe::model {
namespace {

// Norm weights are stored as [channels, 1, 1, 1], or with one 1 less inside the attention.
at::Tensor load_gamma(const WeightStore& store, const std::string& name, std::int64_t channels,
                      KernelRank rank) {
  const std::vector<std::int64_t> shape = rank == KernelRank::k3d
                                              ? std::vector<std::int64_t>{channels, 1, 1, 1}
                                              : std::vector<std::int64_t>{channels, 1, 1};
  return store.get(name + ".gamma", shape).view({channels});
}

// fn(frame) for each frame of x, one task each, joined again.
at::Tensor map_frames(const at::Tensor& x, const std::function<at::Tensor(const at::Tensor&)>& fn) {
  std::vector<at::Tensor> results(static_cast<std::size_t>(x.size(0)));
  ops::for_each_task(x.device(), x.size(0), [&](std::int64_t frame) {
    results[static_cast<std::size_t>(frame)] = fn(x.narrow(0, frame, 1));
  });
  return results.size() == 1 ? results[0] : at::cat(results);
}

// x in the dtype that it is convolved in: x itself, or a copy in fp32.
at::Tensor to_convolve(const at::Tensor& x) {
  const bool in_fp32 = x.is_cpu() && x.scalar_type() == at::kBFloat16 && !ops::cpu_has_bf16();
  return in_fp32 ? x.to(at::kFloat) : x;
}

// The result has the dtype of `x`, which to_convolve() has made.
at::Tensor convolve_widened(const at::Tensor& x, const Convolution& convolution, std::int64_t stride,
                            std::int64_t padding) {
  const at::ScalarType dtype = x.scalar_type();
  return at::conv2d(x, convolution.weight.to(dtype), convolution.bias.to(dtype), stride, padding);
}

at::Tensor convolve_widened(const at::Tensor& x, const Convolution& convolution) {
  return convolve_widened(x, convolution, /*stride=*/1, /*padding=*/convolution.weight.size(-1) / 2);
}

}  // namespace

Convolution load_convolution(const WeightStore& store, const std::string& name, std::int64_t in,
                             std::int64_t out, std::int64_t kernel, KernelRank rank) {
  at::Tensor weight;
  if (rank == KernelRank::k2d) {
    weight = store.get(name + ".weight", {out, in, kernel, kernel});
  } else {
    weight = store.get(name + ".weight", {out, in, kernel, kernel, kernel}).select(2, kernel - 1);
  }
  return {weight.contiguous(at::MemoryFormat::ChannelsLast), store.get(name + ".bias", {out})};
}

at::Tensor convolve(const at::Tensor& x, const Convolution& convolution) {
  return convolve_widened(to_convolve(x), convolution).to(x.scalar_type());
}

at::Tensor norm_and_convolve(const at::Tensor& x, const at::Tensor& gamma, const Convolution& convolution) {
  // One after another into the same variable, so that no more than two of these live at a time.
  at::Tensor y = to_convolve(x);
  y = ops::channel_norm_silu(y, gamma);
  y = convolve_widened(y, convolution);
  return y.to(x.scalar_type());
}

VaeResidualBlock::VaeResidualBlock(const WeightStore& store, std::int64_t in, std::int64_t out)
    : norm1_(load_gamma(store, "norm1", in, KernelRank::k3d)),
      conv1_(load_convolution(store, "conv1", in, out, 3)),
      norm2_(load_gamma(store, "norm2", out, KernelRank::k3d)),
      conv2_(load_convolution(store, "conv2", out, out, 3)) {
  if (in != out) shortcut_ = load_convolution(store, "conv_shortcut", in, out, 1);
}

at::Tensor VaeResidualBlock::forward(const at::Tensor& x) const {
  at::Tensor y = norm_and_convolve(x, norm1_, conv1_);
  y = norm_and_convolve(y, norm2_, conv2_);
  return y.add_(shortcut_ ? convolve(x, *shortcut_) : x);
}

VaeUpsample::VaeUpsample(const WeightStore& store, std::int64_t channels)
    : convolution_(
          load_convolution(store.scope("resample"), "1", channels, channels / 2, 3, KernelRank::k2d)) {}

at::Tensor VaeUpsample::forward(const at::Tensor& x) const {
  // Doubling copies values, so the reference's round trip through fp32 changes nothing.
  at::Tensor y = at::_upsample_nearest_exact2d(to_convolve(x), {2 * x.size(2), 2 * x.size(3)});
  y = convolve_widened(y, convolution_);
  return y.to(x.scalar_type());
}

VaeDownsample::VaeDownsample(const WeightStore& store, std::int64_t channels)
    : convolution_(load_convolution(store.scope("resample"), "1", channels, channels, 3, KernelRank::k2d)) {}

at::Tensor VaeDownsample::forward(const at::Tensor& x) const {
  at::Tensor y = to_convolve(at::constant_pad_nd(x, {0, 1, 0, 1}));
  y = convolve_widened(y, convolution_, /*stride=*/2, /*padding=*/0);
  return y.to(x.scalar_type());
}

VaeMiddleBlock::VaeMiddleBlock(const WeightStore& store, std::int64_t channels)
    : first_(store.scope("resnets", 0), channels, channels),
      norm_(load_gamma(store.scope("attentions", 0), "norm", channels, KernelRank::k2d)),
      to_qkv_(load_convolution(store.scope("attentions", 0), "to_qkv", channels, 3 * channels, 1,
                               KernelRank::k2d)),
      proj_(load_convolution(store.scope("attentions", 0), "proj", channels, channels, 1, KernelRank::k2d)),
      second_(store.scope("resnets", 1), channels, channels) {}

at::Tensor VaeMiddleBlock::forward(const at::Tensor& x) const {
  const std::int64_t channels = x.size(1);
  const at::Tensor identity = map_frames(x, [&](const at::Tensor& frame) { return first_.forward(frame); });
  const at::Tensor qkv = map_frames(
      identity, [&](const at::Tensor& frame) { return convolve(ops::channel_norm(frame, norm_), to_qkv_); });

  std::vector<at::Tensor> attended;
  for (const at::Tensor& frame : qkv.split(1)) {
    // [pixels, 3, channels]: queries, keys, values of the single head.
    const at::Tensor pixels = frame.permute({0, 2, 3, 1}).reshape({-1, 3, channels});
    attended.push_back(
        ops::full_attention(pixels.narrow(1, 0, 1), pixels.narrow(1, 1, 1), pixels.narrow(1, 2, 1))
            .view({1, x.size(2), x.size(3), channels})
            .permute({0, 3, 1, 2}));
  }
  const at::Tensor joined = at::cat(attended);
  std::vector<at::Tensor> results(static_cast<std::size_t>(x.size(0)));
  ops::for_each_task(x.device(), x.size(0), [&](std::int64_t frame) {
    const at::Tensor residual =
        convolve(joined.narrow(0, frame, 1), proj_).add_(identity.narrow(0, frame, 1));
    results[static_cast<std::size_t>(frame)] = second_.forward(residual);
  });
  return at::cat(results);
}

}  // namespace layerpipe::model
