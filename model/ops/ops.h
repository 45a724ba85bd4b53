// The fused operations that the networks are made of, beside linear.h and attention.h.
//
// Each takes and gives tensors in the compute dtype (fp32 or bf16), computes in fp32 inside and rounds once
// at the end. Each has an implementation in plain ATen that runs on any device (ops/reference.h); on a GPU,
// some have a kernel (kernels/kernels.h) that does the same in one pass. Operations see one tile at a time
// (ops/tiles.h) and start no threads, unless they say so. A trailing underscore says that the first argument
// is changed.
#pragma once

#include <ATen/core/Tensor.h>

namespace layerpipe::model::ops {

// LayerNorm(x) · (1 + scale) + shift, without affine weights in the norm. x [rows, dim]; scale, shift [dim].
at::Tensor layer_norm_modulate(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                               double eps);

// x · rsqrt(mean(x²) + eps) · weight. x [..., dim]; weight [dim].
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

// RMS norm over each head, then rotation of neighbouring pairs by the angles of `cos` and `sin`.
// x [rows, heads, head_dim]; weight [head_dim]; cos, sin [rows, head_dim / 2] in fp32.
void rms_norm_rotate_(at::Tensor x, const at::Tensor& weight, double eps, const at::Tensor& cos,
                      const at::Tensor& sin);

// Rotation of the two halves of each head against each other (the text encoder's convention).
// x [rows, heads, head_dim]; cos, sin [rows, head_dim / 2] in fp32.
void rotate_halves_(at::Tensor x, const at::Tensor& cos, const at::Tensor& sin);

// hidden += gate · branch. hidden, branch [rows, dim]; gate [dim].
void gated_residual_(at::Tensor hidden, const at::Tensor& gate, const at::Tensor& branch);

// silu(gate) · up, into gate.
void swiglu_(at::Tensor gate, const at::Tensor& up);

// The VAE's norm and activation: silu(x / max(‖x‖, 1e-12) · sqrt(channels) · gamma), the length taken over
// the channels of a pixel. x [n, channels, h, w], channels last in memory; gamma [channels].
at::Tensor channel_norm_silu(const at::Tensor& x, const at::Tensor& gamma);
// The same without the activation.
at::Tensor channel_norm(const at::Tensor& x, const at::Tensor& gamma);

}  // namespace layerpipe::model::ops
