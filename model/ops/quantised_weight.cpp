#include "model/ops/quantised_weight.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/_scaled_mm.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/kron.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tensor.h>
#include <c10/util/Float8_e4m3fn.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "common/errors.h"
#include "model/kernels/kernels.h"

namespace layerpipe::model::ops {
namespace {

// A piece of the weight lies in a core's cache on a CPU; on a GPU it is large enough for the matrix product
// to run at full speed.
constexpr std::int64_t kCpuPieceElements = 1 << 19;
constexpr std::int64_t kGpuPieceElements = 8 << 20;
constexpr std::int64_t kPieceMultiple = 16;
// What rows of x lie in fp32 at a time on their way to e4m3.
constexpr std::int64_t kQuantisedElements = 4 << 20;
// Both sides of a product in e4m3 are multiples of this.
constexpr std::int64_t kFp8Multiple = 16;

constexpr int kCodes = 256;
using CodeValues = std::array<float, kCodes>;

CodeValues values_of_codes(at::ScalarType dtype) {
  CodeValues values{};
  for (int code = 0; code < kCodes; ++code) {
    values[code] = dtype == at::kFloat8_e4m3fn
                       ? c10::detail::fp8e4m3fn_to_fp32_value(static_cast<std::uint8_t>(code))
                       : static_cast<float>(static_cast<std::int8_t>(code));
  }
  return values;
}

// There are fewer codes than values in a row, so each code is multiplied once a row.
template <typename T>
void dequantise_on_cpu(const at::Tensor& values, const at::Tensor& scale, const at::Tensor& out) {
  const CodeValues of_codes = values_of_codes(values.scalar_type());
  const auto* codes = static_cast<const std::uint8_t*>(values.const_data_ptr());
  const auto* scales = scale.const_data_ptr<float>();
  auto* to = out.mutable_data_ptr<T>();
  const std::int64_t in = values.size(1);
  std::array<T, kCodes> scaled{};
  for (std::int64_t row = 0; row < values.size(0); ++row) {
    for (int code = 0; code < kCodes; ++code) scaled[code] = static_cast<T>(of_codes[code] * scales[row]);
    for (std::int64_t i = row * in; i < (row + 1) * in; ++i) to[i] = scaled[codes[i]];
  }
}

std::int64_t outputs_per_piece(const at::Device& device, std::int64_t in, std::int64_t out) {
  const std::int64_t elements = device.is_cpu() ? kCpuPieceElements : kGpuPieceElements;
  const std::int64_t outputs = elements / std::max<std::int64_t>(in, 1) / kPieceMultiple * kPieceMultiple;
  return std::min(out, std::max(outputs, kPieceMultiple));
}

bool takes_fp8(std::int64_t in, std::int64_t out) {
  return in % kFp8Multiple == 0 && out % kFp8Multiple == 0;
}

// On a GPU without this project's kernel: several passes over some rows at a time.
void quantise_by_passes(const QuantisedRows& to, const at::Tensor& x) {
  const std::int64_t rows = x.size(0);
  const std::int64_t step = std::max<std::int64_t>(1, kQuantisedElements / x.size(1));
  for (std::int64_t begin = 0; begin < rows; begin += step) {
    const std::int64_t count = std::min(step, rows - begin);
    at::Tensor wide = x.narrow(0, begin, count).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    const at::Tensor largest = wide.abs().amax(1);
    at::Tensor scale = to.scale.narrow(0, begin, count);
    // By a tensor: by a number, CUDA multiplies by its reciprocal, which rounds otherwise.
    scale.copy_(largest / at::full({1}, kLargestE4m3, largest.options()))
        .clamp_min_(std::numeric_limits<float>::min());
    scale.masked_fill_(largest == 0, 1);
    wide.div_(scale.unsqueeze(1)).clamp_(-kLargestE4m3, kLargestE4m3);
    to.values.narrow(0, begin, count).copy_(wide);
  }
}

void multiply_in_fp8(const at::Tensor& out, const QuantisedRows& rows, const QuantisedWeight& weight,
                     const at::Tensor& bias) {
  const auto optional_bias = bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
  // Of rows that lie apart in `out`, LibTorch's function does not say that it may write them. A single row
  // counts as contiguous whatever its stride, which cuBLAS is given as the matrix's.
  const bool is_whole = out.is_contiguous() && out.stride(0) == out.size(1);
  at::Tensor product = is_whole ? out : at::empty(out.sizes(), out.options());
  at::_scaled_mm_out(product, rows.values, weight.values.t(), rows.scale.unsqueeze(1),
                     weight.scale.unsqueeze(0), optional_bias, /*scale_result=*/{}, at::kBFloat16,
                     /*use_fast_accum=*/true);
  if (!is_whole) at::Tensor(out).copy_(product);
}

// Each group of inputs by the rotation.
at::Tensor rotated(const at::Tensor& x, const at::Tensor& rotation) {
  const std::int64_t group = rotation.size(0);
  return at::matmul(x.reshape({x.size(0), x.size(1) / group, group}), rotation).view({x.size(0), x.size(1)});
}

}  // namespace

QuantisedWeight QuantisedWeight::rows(std::int64_t begin, std::int64_t count) const {
  return {values.narrow(0, begin, count), scale.narrow(0, begin, count), rotation, product};
}

at::Tensor dequantised(const QuantisedWeight& weight, const common::Range& rows, at::ScalarType dtype) {
  const at::Tensor values = weight.values.narrow(0, rows.begin, rows.size());
  const at::Tensor scale = weight.scale.narrow(0, rows.begin, rows.size());
  at::Tensor out = at::empty(values.sizes(), scale.options().dtype(dtype));
  if (!values.is_cpu()) {
    // Every code is a number of bf16 and of fp32, and the product with a scale in fp32 is rounded once.
    return out.copy_(values).mul_(scale.unsqueeze(1));
  }
  if (dtype == at::kBFloat16) {
    dequantise_on_cpu<at::BFloat16>(values, scale, out);
  } else {
    common::ensure(dtype == at::kFloat, "a quantised weight is wanted in a dtype that is not computed in");
    dequantise_on_cpu<float>(values, scale, out);
  }
  return out;
}

const QuantisedRows& LinearInput::in_fp8() const {
  if (!in_fp8_) in_fp8_ = quantise_rows(x_);
  return *in_fp8_;
}

void multiply_into(const at::Tensor& out, const LinearInput& input, const QuantisedWeight& weight,
                   const at::Tensor& bias) {
  const at::Tensor& x = input.x();
  const std::int64_t inputs = weight.values.size(1);
  const std::int64_t outputs = weight.values.size(0);
  if (weight.product == Product::kFp8 && x.scalar_type() == at::kBFloat16 && takes_fp8(inputs, outputs))
    return multiply_in_fp8(out, input.in_fp8(), weight, bias);
  const at::Tensor turned = weight.rotation.defined() ? rotated(x, weight.rotation) : x;
  const std::int64_t step = outputs_per_piece(x.device(), inputs, outputs);
  for (std::int64_t begin = 0; begin < outputs; begin += step) {
    const std::int64_t count = std::min(step, outputs - begin);
    at::Tensor piece = out.narrow(1, begin, count);
    const at::Tensor matrix = dequantised(weight, {begin, begin + count}, x.scalar_type()).t();
    if (bias.defined()) {
      at::addmm_out(piece, bias.narrow(0, begin, count), turned, matrix);
    } else {
      at::mm_out(piece, turned, matrix);
    }
  }
}

std::uint64_t quantised_workspace_bytes(std::int64_t in, std::int64_t out, std::int64_t rows,
                                        const ComputeTarget& target, Product product) {
  const std::uint64_t turned = target.bytes(rows * in);
  const std::int64_t piece = in * outputs_per_piece(target.device, in, out);
  const std::uint64_t weight_only = turned + target.bytes(piece);
  if (product == Product::kWeightOnly) return weight_only;
  // x in e4m3, its scales, some rows of it in fp32 with their absolute values, the product.
  const std::int64_t wide = std::min(rows * in, std::max(kQuantisedElements, in));
  const auto fp8 = static_cast<std::uint64_t>(rows * in + 8 * rows + 2 * 4 * wide) + target.bytes(rows * out);
  return std::max(weight_only, fp8);
}

bool has_fp8_products(const at::Device& device) {
  constexpr int kFirstCapability = 89;
  return device.is_cuda() && kernels::compute_capability(device) >= kFirstCapability;
}

at::Tensor convrot_matrix(std::int64_t order, const at::TensorOptions& options) {
  constexpr float h = 0.5F;
  const std::vector<float> entries{h, h, h, -h, h, h, -h, h, h, -h, h, h, -h, h, h, h};
  const at::Tensor four = at::tensor(entries).view({4, 4});
  at::Tensor matrix = four;
  while (matrix.size(0) < order) matrix = at::kron(matrix, four);
  common::ensure(matrix.size(0) == order, "the order of a rotation is no power of 4");
  return matrix.to(options);
}

QuantisedRows quantise_rows(const at::Tensor& x) {
  const QuantisedRows quantised{at::empty(x.sizes(), x.options().dtype(at::kFloat8_e4m3fn)),
                                at::empty({x.size(0)}, x.options().dtype(at::kFloat))};
  if (kernels::apply_to(x)) {
    kernels::quantise_rows(quantised.values, quantised.scale, x);
  } else if (!x.is_cpu()) {
    quantise_by_passes(quantised, x);
  } else {
    const at::Tensor wide = x.to(at::kFloat).contiguous();
    const std::int64_t in = x.size(1);
    auto* const codes = static_cast<std::uint8_t*>(quantised.values.mutable_data_ptr());
    for (std::int64_t row = 0; row < x.size(0); ++row) {
      quantised.scale.mutable_data_ptr<float>()[row] =
          quantise_row(wide.const_data_ptr<float>() + row * in, in, codes + row * in);
    }
  }
  return quantised;
}

float quantise_row(const float* values, std::int64_t n, std::uint8_t* codes) {
  float largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(values[i]));
  // The quotient of a tiny number may be none that can be divided by.
  const float scale =
      largest == 0 ? 1.0F : std::max(largest / kLargestE4m3, std::numeric_limits<float>::min());
  for (std::int64_t i = 0; i < n; ++i) {
    const float code = std::clamp(values[i] / scale, -kLargestE4m3, kLargestE4m3);
    codes[i] = c10::detail::fp8e4m3fn_from_fp32_value(code);
  }
  return scale;
}

}  // namespace layerpipe::model::ops
