// The affine map that most of a network's weights belong to.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "model/ops/quantised_weight.h"

namespace layerpipe::model::ops {

// y = x Wᵀ + b. It owns its weight and bias, and nobody else sees how they are stored: what a stored form
// needs to be computed with stands in this class alone. As in ops.h, x and y are in the compute dtype, and a
// function sees one tile and starts no threads, unless it says so.
class Linear {
 public:
  // Of a layer that a network does not have; it cannot be applied.
  Linear() = default;
  // weight [out, in], compute dtype; bias [out], compute dtype, undefined where the layer has none.
  explicit Linear(at::Tensor weight, at::Tensor bias = {});
  // A weight that stays as it is stored; what is computed in is x's dtype.
  explicit Linear(QuantisedWeight weight, at::Tensor bias = {});

  // x [rows, in] with any row stride; gives [rows, out].
  at::Tensor apply(const at::Tensor& x) const;
  // The same into `out` [rows, out], of an input that other layers may share.
  void apply_into(at::Tensor out, const LinearInput& input) const;
  // GELU in its tanh form of the result: x [rows, in]; gives [rows, out]. Needs a bias.
  at::Tensor apply_gelu(const at::Tensor& x) const;

  // A single row, by all threads: x [1, in]; gives [1, out].
  at::Tensor apply_to_vector(const at::Tensor& x) const;
  // A whole tensor, tile by tile: x [rows, in]; gives [rows, out].
  at::Tensor apply_to_rows(const at::Tensor& x) const;

  std::int64_t outputs() const { return quantised_ ? quantised_->values.size(0) : weight_.size(0); }

 private:
  // Its outputs begin … begin + count − 1 alone; views.
  Linear part(std::int64_t begin, std::int64_t count) const;

  at::Tensor weight_;                         // [out, in], compute dtype; undefined when it is quantised
  std::optional<QuantisedWeight> quantised_;  // with its scale
  at::Tensor bias_;                           // [out], compute dtype, or undefined
};

}  // namespace layerpipe::model::ops
