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

#include "model/kernels/kernels.h"
#include "model/ops/reference.h"

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
