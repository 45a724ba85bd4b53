#include "model/ops/reference.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/stack.h>

#include <cmath>

namespace layerpipe::model::ops::reference {
namespace {

// What is computed in: fp32, or double where a test asks for exact dependencies.
at::ScalarType wide_type(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor widened(const at::Tensor& x) {
  return x.to(wide_type(x));
}

// Normalised rows in fp32, not yet weighted.
at::Tensor rms_normalised(const at::Tensor& x, double eps) {
  const at::Tensor wide = widened(x);
  return wide * at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + eps);
}

struct Halves {
  at::Tensor first;   // [rows, heads, head_dim / 2]
  at::Tensor second;  // [rows, heads, head_dim / 2]
};

// The rotation by an angle: (a, b) → (a cos − b sin, a sin + b cos).
Halves rotate(const Halves& x, const at::Tensor& cos, const at::Tensor& sin) {
  const at::Tensor c = cos.unsqueeze(1);
  const at::Tensor s = sin.unsqueeze(1);
  return {x.first * c - x.second * s, x.first * s + x.second * c};
}

at::Tensor channel_normalised(const at::Tensor& x, const at::Tensor& gamma) {
  constexpr double kSmallestLength = 1e-12;
  const at::Tensor wide = widened(x);
  const at::Tensor length =
      at::linalg_vector_norm(wide, 2, {1}, /*keepdim=*/true).clamp_min_(kSmallestLength);
  const double scale = std::sqrt(static_cast<double>(x.size(1)));
  return (wide / length).mul_((widened(gamma) * scale).view({1, -1, 1, 1}));
}

}  // namespace

at::Tensor layer_norm_modulate(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                               double eps) {
  // A norm's weight and bias are just what 1 + scale and shift are, so one call does both with one rounding
  // at the end.
  const at::Tensor weight = scale.to(at::kFloat) + 1;
  return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, weight, shift.to(at::kFloat), eps)
      .to(x.scalar_type());
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return (rms_normalised(x, eps) * weight.to(at::kFloat)).to(x.scalar_type());
}

void rms_norm_rotate_(at::Tensor x, const at::Tensor& weight, double eps, const at::Tensor& cos,
                      const at::Tensor& sin) {
  const at::Tensor pairs = (rms_normalised(x, eps) * weight.to(at::kFloat)).unflatten(-1, {-1, 2});
  const Halves rotated = rotate({pairs.select(-1, 0), pairs.select(-1, 1)}, cos, sin);
  x.copy_(at::stack({rotated.first, rotated.second}, -1).flatten(-2));
}

void rotate_halves_(at::Tensor x, const at::Tensor& cos, const at::Tensor& sin) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor wide = x.to(at::kFloat);
  const Halves rotated = rotate({wide.narrow(-1, 0, half), wide.narrow(-1, half, half)}, cos, sin);
  x.narrow(-1, 0, half).copy_(rotated.first);
  x.narrow(-1, half, half).copy_(rotated.second);
}

void gated_residual_(at::Tensor hidden, const at::Tensor& gate, const at::Tensor& branch) {
  if (hidden.scalar_type() == at::kFloat) {
    hidden.addcmul_(gate, branch);
  } else {
    hidden.copy_(at::addcmul(hidden.to(at::kFloat), gate.to(at::kFloat), branch.to(at::kFloat)));
  }
}

at::Tensor channel_norm(const at::Tensor& x, const at::Tensor& gamma) {
  return channel_normalised(x, gamma).to(x.scalar_type());
}

at::Tensor channel_norm_silu(const at::Tensor& x, const at::Tensor& gamma) {
  at::Tensor normalised = channel_normalised(x, gamma);
  return at::silu_(normalised).to(x.scalar_type());
}

}  // namespace layerpipe::model::ops::reference
