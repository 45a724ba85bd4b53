// CUDA kernels for the operations of ops/ops.h that LibTorch would need several passes over memory for.
//
// All are bound by memory: each reads its input once from device memory and writes its output once, computes
// in fp32 and rounds once, just as the references in ops/reference.h do. They run on LibTorch's current
// stream. Rows are contiguous in their last dimension; bf16 and fp32.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace layerpipe::model::kernels {

// Whether x lies on a GPU, has a dtype of these kernels and rows of whole, aligned vectors of 16 bytes, and
// this build has them.
bool apply_to(const at::Tensor& x);

// The compute capabilities that this build's kernels were compiled for (90 is 9.0); empty without kernels. A
// GPU of a higher one compiles them itself when they are first used.
std::vector<int> compiled_architectures();

// The compute capability of a GPU (90 is 9.0); 0 in a build without kernels. Needs a driver there.
int compute_capability(const c10::Device& device);

// out = LayerNorm(x) · (1 + scale) + shift. x, out [rows, dim]; scale, shift [dim].
void layer_norm_modulate(const at::Tensor& out, const at::Tensor& x, const at::Tensor& scale,
                         const at::Tensor& shift, double eps);

// out = x · rsqrt(mean(x²) + eps) · weight. x, out [rows, dim]; weight [dim].
void rms_norm(const at::Tensor& out, const at::Tensor& x, const at::Tensor& weight, double eps);

// Works in place: RMS norm of each head, then rotation of neighbouring pairs. x [rows, heads, head_dim],
// contiguous; cos, sin [rows, head_dim / 2], fp32, contiguous.
void rms_norm_rotate(const at::Tensor& x, const at::Tensor& weight, double eps, const at::Tensor& cos,
                     const at::Tensor& sin);

// hidden += gate · branch. hidden, branch [rows, dim], contiguous; gate [dim].
void gated_residual(const at::Tensor& hidden, const at::Tensor& gate, const at::Tensor& branch);

enum class Activation { kNone, kSilu };

// out = activation(x / max(‖x‖, 1e-12) · sqrt(dim) · gamma), the length taken over each row. x, out [rows,
// dim]; gamma [dim].
void l2_norm(const at::Tensor& out, const at::Tensor& x, const at::Tensor& gamma, Activation activation);

// values = x / scale in e4m3, scale = the largest absolute value of each row / 448, and 1 for a row of zeros.
// x [rows, dim], any row stride; values [rows, dim], e4m3, contiguous; scale [rows], fp32.
void quantise_rows(const at::Tensor& values, const at::Tensor& scale, const at::Tensor& x);

// Sets found [1], int32, to 1 when a value of x is infinite or NaN; leaves it otherwise. x is contiguous, and
// fp32, bf16, fp16 or e4m3.
void find_not_finite(const at::Tensor& found, const at::Tensor& x);
// Whether find_not_finite() is for x.
bool finds_not_finite_in(const at::Tensor& x);

}  // namespace layerpipe::model::kernels
