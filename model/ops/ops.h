// The fused operations that the networks are made of.
//
// Each takes and gives tensors in the compute dtype (fp32 or bf16), computes in fp32 inside and rounds once
// at the end. Each has an implementation in plain ATen that runs on any device (ops/reference.h); on a GPU,
// some have a kernel (kernels/kernels.h) that does the same in one pass. Operations see one tile at a time
// (ops/tiles.h) and start no threads, unless they say so. A trailing underscore says that the first argument
// is changed.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/weights/weights.h"

namespace layerpipe::model::ops {

// y = x Wᵀ + b. x [rows, in] with any row stride; gives [rows, out].
at::Tensor linear(const at::Tensor& x, const Linear& layer);
// The same into `out` [rows, out].
void linear_into(at::Tensor out, const at::Tensor& x, const Linear& layer);

// y = x Wᵀ + b of a single row, by all threads. x [1, in]; gives [1, out].
at::Tensor linear_of_vector(const at::Tensor& x, const Linear& layer);
// y = x Wᵀ + b of a whole tensor, tile by tile. x [rows, in]; gives [rows, out].
at::Tensor linear_of_rows(const at::Tensor& x, const Linear& layer);

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

// GELU in its tanh form of x Wᵀ + b. x [rows, in]; gives [rows, out].
at::Tensor linear_gelu(const at::Tensor& x, const Linear& layer);

// silu(gate) · up, into gate.
void swiglu_(at::Tensor gate, const at::Tensor& up);

// The VAE's norm and activation: silu(x / max(‖x‖, 1e-12) · sqrt(channels) · gamma), the length taken over
// the channels of a pixel. x [n, channels, h, w], channels last in memory; gamma [channels].
at::Tensor channel_norm_silu(const at::Tensor& x, const at::Tensor& gamma);
// The same without the activation.
at::Tensor channel_norm(const at::Tensor& x, const at::Tensor& gamma);

}  // namespace layerpipe::model::ops
