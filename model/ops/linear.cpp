#include "model/ops/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_addmm_activation.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <utility>

#include "model/ops/tiles.h"

namespace layerpipe::model::ops {

Linear::Linear(at::Tensor weight, at::Tensor bias) : weight_(std::move(weight)), bias_(std::move(bias)) {}

Linear::Linear(QuantisedWeight weight, at::Tensor bias)
    : quantised_(std::move(weight)), bias_(std::move(bias)) {}

at::Tensor Linear::apply(const at::Tensor& x) const {
  if (!quantised_) return at::linear(x, weight_, bias_);
  at::Tensor out = at::empty({x.size(0), outputs()}, x.options());
  apply_into(out, x);
  return out;
}

void Linear::apply_into(at::Tensor out, const LinearInput& input) const {
  if (quantised_) {
    multiply_into(out, input, *quantised_, bias_);
  } else if (bias_.defined()) {
    at::addmm_out(out, bias_, input.x(), weight_.t());
  } else {
    at::mm_out(out, input.x(), weight_.t());
  }
}

at::Tensor Linear::apply_gelu(const at::Tensor& x) const {
  // On a GPU cuBLASLt applies the tanh form to the sums before it writes them; on a CPU LibTorch's function
  // would take the exact form.
  if (x.is_cuda() && !quantised_)
    return at::_addmm_activation(bias_, x, weight_.t(), 1, 1, /*use_gelu=*/true);
  at::Tensor out = apply(x);
  at::gelu_(out, "tanh");
  return out;
}

at::Tensor Linear::apply_to_vector(const at::Tensor& x) const {
  // The outputs are shared out: one input row alone would keep all but one CPU thread idle.
  constexpr std::int64_t kCpuOutputsPerTask = 1024;
  if (!x.is_cpu()) return apply(x);
  at::Tensor out = at::empty({1, outputs()}, x.options());
  const std::int64_t tasks = (outputs() + kCpuOutputsPerTask - 1) / kCpuOutputsPerTask;
  for_each_task(x.device(), tasks, [&](std::int64_t task) {
    const std::int64_t begin = task * kCpuOutputsPerTask;
    const std::int64_t count = std::min(kCpuOutputsPerTask, outputs() - begin);
    out.narrow(1, begin, count).copy_(part(begin, count).apply(x));
  });
  return out;
}

at::Tensor Linear::apply_to_rows(const at::Tensor& x) const {
  at::Tensor out = at::empty({x.size(0), outputs()}, x.options());
  for_each_row_tile(x.device(), x.size(0), [&](common::Range rows) {
    apply_into(out.narrow(0, rows.begin, rows.size()), x.narrow(0, rows.begin, rows.size()));
  });
  return out;
}

Linear Linear::part(std::int64_t begin, std::int64_t count) const {
  const at::Tensor bias = bias_.defined() ? bias_.narrow(0, begin, count) : at::Tensor();
  if (quantised_) return Linear(quantised_->rows(begin, count), bias);
  return Linear(weight_.narrow(0, begin, count), bias);
}

}  // namespace layerpipe::model::ops
