#include "model/ops/ops.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "model/ops/tiles.h"

namespace layerpipe::model::ops {
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

void gelu_tanh_(at::Tensor x) {
  at::gelu_(x, "tanh");
}

void swiglu_(at::Tensor gate, const at::Tensor& up) {
  gate.copy_(at::silu(gate.to(at::kFloat)).mul_(up));
}

at::Tensor channel_norm(const at::Tensor& x, const at::Tensor& gamma) {
  return channel_normalised(x, gamma).to(x.scalar_type());
}

at::Tensor channel_norm_silu(const at::Tensor& x, const at::Tensor& gamma) {
  at::Tensor normalised = channel_normalised(x, gamma);
  return at::silu_(normalised).to(x.scalar_type());
}

}  // namespace layerpipe::model::ops
