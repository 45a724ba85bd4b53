// How far a result may lie from the exact one.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/le.h>
#include <gtest/gtest.h>

namespace layerpipe::testing {

// Half a unit in the last place, relative to the value.
inline double unit_roundoff(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? 0x1p-8 : 0x1p-24;
}

// Fails unless every value lies within one rounding to its dtype of a result with the relative error
// `inner_error` in terms of `magnitude`: |value − exact| ≤ u |exact| + (1 + u) · inner_error · magnitude,
// u the dtype's unit roundoff. `exact` and `magnitude` (at least |exact|) in double.
inline ::testing::AssertionResult is_within_rounding(const at::Tensor& value, const at::Tensor& exact,
                                                     const at::Tensor& magnitude, double inner_error) {
  if (value.sizes() != exact.sizes()) return ::testing::AssertionFailure() << "the shapes differ";
  const double u = unit_roundoff(value.scalar_type());
  const at::Tensor limit = exact.abs() * u + magnitude * ((1 + u) * inner_error);
  const at::Tensor error = (value.to(at::kDouble) - exact).abs();
  if (at::le(error, limit).all().item<bool>()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "the largest error is " << (error / limit).max().item<double>()
                                       << " times what " << value.scalar_type() << " allows";
}

}  // namespace layerpipe::testing
