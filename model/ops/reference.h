// Plain ATen implementations of the operations in ops/ops.h that have CUDA kernels: what those are tested
// against, and what runs where there is no kernel. The arguments are those of ops/ops.h.
#pragma once

#include <ATen/core/Tensor.h>

namespace layerpipe::model::ops::reference {

at::Tensor layer_norm_modulate(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                               double eps);
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
void rms_norm_rotate_(at::Tensor x, const at::Tensor& weight, double eps, const at::Tensor& cos,
                      const at::Tensor& sin);
void rotate_halves_(at::Tensor x, const at::Tensor& cos, const at::Tensor& sin);
void gated_residual_(at::Tensor hidden, const at::Tensor& gate, const at::Tensor& branch);
at::Tensor channel_norm(const at::Tensor& x, const at::Tensor& gamma);
at::Tensor channel_norm_silu(const at::Tensor& x, const at::Tensor& gamma);

}  // namespace layerpipe::model::ops::reference
