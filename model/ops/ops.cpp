#include "model/ops/ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_addmm_activation.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/silu.h>

#include <algorithm>

#include "model/kernels/kernels.h"
#include "model/ops/reference.h"
#include "model/ops/tiles.h"

namespace layerpipe::model::ops {
namespace {

// [n, channels, h, w] with channels last as rows of channels, a view.
at::Tensor pixels(const at::Tensor& x) {
  return x.permute({0, 2, 3, 1}).view({-1, x.size(1)});
}

bool kernels_apply_to_pixels(const at::Tensor& x) {
  return x.is_cuda() && x.is_contiguous(at::MemoryFormat::ChannelsLast) && kernels::apply_to(pixels(x));
}

at::Tensor normalise_pixels(const at::Tensor& x, const at::Tensor& gamma, kernels::Activation activation) {
  at::Tensor out = at::empty_like(x, at::MemoryFormat::ChannelsLast);
  kernels::l2_norm(pixels(out), pixels(x), gamma, activation);
  return out;
}

}  // namespace

at::Tensor linear(const at::Tensor& x, const Linear& layer) {
  return at::linear(x, layer.weight, layer.bias);
}

void linear_into(at::Tensor out, const at::Tensor& x, const Linear& layer) {
  if (layer.bias.defined()) {
    at::addmm_out(out, layer.bias, x, layer.weight.t());
  } else {
    at::mm_out(out, x, layer.weight.t());
  }
}

at::Tensor linear_of_vector(const at::Tensor& x, const Linear& layer) {
  // The layer's rows are shared out: one input row alone would keep all but one CPU thread idle.
  constexpr std::int64_t kCpuOutputsPerTask = 1024;
  if (!x.is_cpu()) return linear(x, layer);
  const std::int64_t outputs = layer.weight.size(0);
  at::Tensor out = at::empty({1, outputs}, x.options());
  for_each_task(x.device(), (outputs + kCpuOutputsPerTask - 1) / kCpuOutputsPerTask, [&](std::int64_t task) {
    const std::int64_t begin = task * kCpuOutputsPerTask;
    const std::int64_t count = std::min(kCpuOutputsPerTask, outputs - begin);
    const Linear part{layer.weight.narrow(0, begin, count),
                      layer.bias.defined() ? layer.bias.narrow(0, begin, count) : at::Tensor()};
    out.narrow(1, begin, count).copy_(linear(x, part));
  });
  return out;
}

at::Tensor linear_of_rows(const at::Tensor& x, const Linear& layer) {
  at::Tensor out = at::empty({x.size(0), layer.weight.size(0)}, x.options());
  for_each_row_tile(x.device(), x.size(0), [&](RowRange rows) {
    linear_into(out.narrow(0, rows.begin, rows.size()), x.narrow(0, rows.begin, rows.size()), layer);
  });
  return out;
}

at::Tensor linear_gelu(const at::Tensor& x, const Linear& layer) {
  // On a GPU cuBLASLt applies the tanh form to the sums before it writes them; on a CPU LibTorch's function
  // would take the exact form.
  if (x.is_cuda()) return at::_addmm_activation(layer.bias, x, layer.weight.t(), 1, 1, /*use_gelu=*/true);
  at::Tensor out = linear(x, layer);
  at::gelu_(out, "tanh");
  return out;
}

at::Tensor layer_norm_modulate(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                               double eps) {
  if (!kernels::apply_to(x)) return reference::layer_norm_modulate(x, scale, shift, eps);
  at::Tensor out = at::empty(x.sizes(), x.options());
  kernels::layer_norm_modulate(out, x, scale, shift, eps);
  return out;
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (x.dim() != 2 || !kernels::apply_to(x)) return reference::rms_norm(x, weight, eps);
  at::Tensor out = at::empty(x.sizes(), x.options());
  kernels::rms_norm(out, x, weight, eps);
  return out;
}

void rms_norm_rotate_(at::Tensor x, const at::Tensor& weight, double eps, const at::Tensor& cos,
                      const at::Tensor& sin) {
  if (kernels::apply_to(x)) {
    kernels::rms_norm_rotate(x, weight, eps, cos, sin);
  } else {
    reference::rms_norm_rotate_(x, weight, eps, cos, sin);
  }
}

void rotate_halves_(at::Tensor x, const at::Tensor& cos, const at::Tensor& sin) {
  reference::rotate_halves_(x, cos, sin);
}

void gated_residual_(at::Tensor hidden, const at::Tensor& gate, const at::Tensor& branch) {
  if (kernels::apply_to(hidden)) {
    kernels::gated_residual(hidden, gate, branch);
  } else {
    reference::gated_residual_(hidden, gate, branch);
  }
}

void swiglu_(at::Tensor gate, const at::Tensor& up) {
  gate.copy_(at::silu(gate.to(at::kFloat)).mul_(up));
}

at::Tensor channel_norm(const at::Tensor& x, const at::Tensor& gamma) {
  if (!kernels_apply_to_pixels(x)) return reference::channel_norm(x, gamma);
  return normalise_pixels(x, gamma, kernels::Activation::kNone);
}

at::Tensor channel_norm_silu(const at::Tensor& x, const at::Tensor& gamma) {
  if (!kernels_apply_to_pixels(x)) return reference::channel_norm_silu(x, gamma);
  return normalise_pixels(x, gamma, kernels::Activation::kSilu);
}

}  // namespace layerpipe::model::ops
