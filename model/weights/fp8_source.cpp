#include "model/weights/fp8_source.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "common/errors.h"

namespace layerpipe::model {

std::optional<QuantisedForm> Fp8Source::quantised_form(const std::string& name, at::IntArrayRef shape) const {
  if (inner_->is_quantised()) return inner_->quantised_form(name, shape);
  if (shape.size() != 2 || !is_chosen_(name)) return std::nullopt;
  inner_->storage_dtype(name, shape);  // checks that it is there
  return QuantisedForm{.values_dtype = at::kFloat8_e4m3fn, .fastest = ops::Product::kFp8, .comes_wide = true};
}

QuantisedValues Fp8Source::read_quantised(const std::string& name, at::IntArrayRef shape) const {
  if (inner_->is_quantised()) return inner_->read_quantised(name, shape);
  const at::ScalarType dtype = inner_->storage_dtype(name, shape);
  const std::int64_t rows = shape[0];
  const std::int64_t in = shape[1];
  QuantisedValues result{at::empty(shape, at::TensorOptions().dtype(at::kFloat8_e4m3fn)),
                         at::empty({rows}, at::TensorOptions().dtype(at::kFloat))};
  auto* const codes = static_cast<std::uint8_t*>(result.values.mutable_data_ptr());
  auto* const scales = result.scale.mutable_data_ptr<float>();
  const std::int64_t step = std::max<std::int64_t>(1, kReadElements / std::max<std::int64_t>(in, 1));
  std::atomic<bool> is_finite{true};
  at::parallel_for(0, (rows + step - 1) / step, 1, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t begin = first * step; begin < std::min(end * step, rows); begin += step) {
      const std::int64_t count = std::min(step, rows - begin);
      const at::Tensor stored = at::empty({count * in}, at::TensorOptions().dtype(dtype));
      inner_->read_bytes(name, shape, begin * in * static_cast<std::int64_t>(stored.element_size()),
                         {static_cast<std::byte*>(stored.mutable_data_ptr()), stored.nbytes()});
      const at::Tensor wide = stored.to(at::kFloat);
      const float* const values = wide.const_data_ptr<float>();
      if (!std::all_of(values, values + wide.numel(), [](float value) { return std::isfinite(value); }))
        is_finite = false;
      for (std::int64_t row = 0; row < count; ++row) {
        scales[begin + row] = ops::quantise_row(values + row * in, in, codes + (begin + row) * in);
      }
    }
  });
  if (!is_finite) refuse_values(where(name), name);
  return result;
}

}  // namespace layerpipe::model
