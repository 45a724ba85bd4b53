// Matrices that are stored in 8 bits, and what is computed with them.
//
// Two dtypes are kept apart: what a weight is stored in (e4m3, int8) and what is computed in (fp32, bf16).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "common/range.h"
#include "model/compute_target.h"

namespace layerpipe::model::ops {

// The largest finite value of e4m3. What lies beyond it becomes NaN in LibTorch's conversion, so it is
// clamped before.
inline constexpr float kLargestE4m3 = 448.0F;

// How x and a quantised weight are multiplied.
enum class Product {
  kWeightOnly,  // the weight becomes one in x's dtype, piece by piece
  kFp8          // x becomes e4m3 with a scale for each of its rows; on a GPU that multiplies e4m3 alone
};

// W[o][i] = values[o][i] · scale[o], where `rotation` is undefined. Where it is defined, its order g divides
// the inputs, and the stored matrix is W with each group of g inputs multiplied by it: x is multiplied by it
// as well.
struct QuantisedWeight {
  at::Tensor values;    // [out, in], e4m3 or int8, contiguous
  at::Tensor scale;     // [out], fp32
  at::Tensor rotation;  // [g, g], compute dtype, symmetric and orthogonal; or undefined
  Product product = Product::kWeightOnly;

  QuantisedWeight rows(std::int64_t begin, std::int64_t count) const;  // views
};

// The rows of values · scale, [rows.size(), in]: multiplied in fp32, then rounded once to `dtype`.
at::Tensor dequantised(const QuantisedWeight& weight, const common::Range& rows, at::ScalarType dtype);

// Rows in e4m3, and the scale of each.
struct QuantisedRows {
  at::Tensor values;  // [rows, in], e4m3
  at::Tensor scale;   // [rows], fp32
};

// Rows that one or more layers are applied to, one after the other: their codes in e4m3 are made once, when a
// layer first asks for them.
class LinearInput {
 public:
  // x [rows, in], any row stride. A tensor stands for the input of one layer.
  LinearInput(at::Tensor x) : x_(std::move(x)) {}

  const at::Tensor& x() const { return x_; }
  // As quantise_rows() makes them.
  const QuantisedRows& in_fp8() const;

 private:
  at::Tensor x_;
  mutable std::optional<QuantisedRows> in_fp8_;
};

// x Wᵀ + bias into `out` [rows, out]; the input's x [rows, in], in the compute dtype; bias [out] or
// undefined. Never more of the weight than a piece of it exists in the compute dtype.
void multiply_into(const at::Tensor& out, const LinearInput& input, const QuantisedWeight& weight,
                   const at::Tensor& bias);

// At least what multiply_into() takes beside its arguments for a tile of `rows` rows.
std::uint64_t quantised_workspace_bytes(std::int64_t in, std::int64_t out, std::int64_t rows,
                                        const ComputeTarget& target, Product product);

// Whether multiply_into() knows the product of e4m3 matrices on this device: from compute capability 8.9 on.
bool has_fp8_products(const at::Device& device);

// The matrix that ComfyUI's ConvRot turns groups of inputs by: the Kronecker power of the regular Hadamard
// matrix of order 4, whose entries −1 lie on the anti-diagonal, divided by two. `order` is a power of 4.
at::Tensor convrot_matrix(std::int64_t order, const at::TensorOptions& options);

// x [rows, in], fp32 or bf16, on any device and with any row stride: each row as quantise_row() quantises it.
// On a GPU values may be no finite numbers; where one is NaN, its code is NaN.
QuantisedRows quantise_rows(const at::Tensor& x);

// Quantises one row of n values, which are finite, to e4m3 codes; gives its scale: the largest absolute value
// / 448, in fp32. A row of zeros has the scale 1.
float quantise_row(const float* values, std::int64_t n, std::uint8_t* codes);

}  // namespace layerpipe::model::ops
