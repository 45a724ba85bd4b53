#include "model/weights/tensor_source.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "common/errors.h"

namespace layerpipe::model {

void read_in_parts(std::span<std::byte> to,
                   const std::function<void(std::int64_t begin, std::span<std::byte> part)>& read) {
  const auto bytes = static_cast<std::int64_t>(to.size());
  at::parallel_for(
      0, (bytes + kReadPartBytes - 1) / kReadPartBytes, 1, [&](std::int64_t first, std::int64_t end) {
        for (std::int64_t part = first; part < end; ++part) {
          const std::int64_t begin = part * kReadPartBytes;
          const std::int64_t count = std::min(kReadPartBytes, bytes - begin);
          read(begin, to.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)));
        }
      });
}

void refuse_values(const std::string& where, const std::string& name) {
  throw common::InputError(where + ": tensor \"" + name + "\" holds values that are not finite numbers",
                           "The file is damaged; copy or download it again.");
}

std::optional<QuantisedForm> TensorSource::quantised_form(const std::string& /*name*/,
                                                          at::IntArrayRef /*shape*/) const {
  return std::nullopt;
}

std::optional<PlaceInFile> TensorSource::place(const std::string& /*name*/, at::IntArrayRef /*shape*/) const {
  return std::nullopt;
}

at::Tensor TensorSource::read_scale(const std::string& /*name*/, at::IntArrayRef /*shape*/) const {
  throw common::InternalError("the scale of a tensor was asked for that has none");
}

QuantisedValues TensorSource::read_quantised(const std::string& /*name*/, at::IntArrayRef /*shape*/) const {
  throw common::InternalError("a tensor was read as quantised that is not");
}

at::Tensor TensorSource::read(const std::string& name, at::IntArrayRef shape) const {
  const at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(storage_dtype(name, shape)));
  const std::span to(static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes());
  read_in_parts(to,
                [&](std::int64_t begin, std::span<std::byte> part) { read_bytes(name, shape, begin, part); });
  return tensor;
}

}  // namespace layerpipe::model
