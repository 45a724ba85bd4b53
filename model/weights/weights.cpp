#include "model/weights/weights.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <atomic>
#include <cmath>

#include "common/errors.h"
#include "model/kernels/kernels.h"
#include "model/weights/safetensors.h"

namespace layerpipe::model {
namespace {

// Whether no value's exponent has all bits set, which is what infinities and NaNs have. One pass over memory,
// by all threads.
template <typename Bits>
bool has_finite_exponents(const at::Tensor& x, Bits exponent) {
  constexpr std::int64_t kGrain = 1 << 16;
  const auto* bits = static_cast<const Bits*>(x.const_data_ptr());
  std::atomic<bool> finite{true};
  at::parallel_for(0, x.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    bool all = true;
    for (std::int64_t i = begin; i < end; ++i) all &= (bits[i] & exponent) != exponent;
    if (!all) finite = false;
  });
  return finite;
}

bool is_finite(const at::Tensor& x) {
  constexpr std::uint16_t kBf16Exponent = 0x7F80;
  constexpr std::uint32_t kFloatExponent = 0x7F800000;
  if (x.is_cpu() && x.is_contiguous()) {
    if (x.scalar_type() == at::kBFloat16) return has_finite_exponents(x, kBf16Exponent);
    if (x.scalar_type() == at::kFloat) return has_finite_exponents(x, kFloatExponent);
  }
  if (x.scalar_type() == at::kChar) return true;
  if (kernels::finds_not_finite_in(x)) {
    const at::Tensor found = at::zeros({1}, x.options().dtype(at::kInt));
    kernels::find_not_finite(found, x);
    return found.item<int>() == 0;
  }
  if (x.scalar_type() == at::kFloat8_e4m3fn) {
    constexpr std::uint8_t kNan = 0x7F;  // of both signs; there is no other, and no infinity
    return !x.view(at::kByte).bitwise_and(kNan).eq(kNan).any().item<bool>();
  }
  // A sum is one pass without a temporary. It is finite only when all terms are; when it is not, it may have
  // overflowed, and the terms are looked at.
  return std::isfinite(x.sum(at::kFloat).item<float>()) || at::isfinite(x).all().item<bool>();
}

std::span<std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()};
}

// Of a matrix whose groups of columns have been turned; the rotation is its own inverse.
at::Tensor turned_back(const at::Tensor& matrix, const at::Tensor& rotation) {
  return at::matmul(matrix.view({-1, rotation.size(0)}), rotation).view(matrix.sizes());
}

}  // namespace

WeightStore::WeightStore(std::shared_ptr<const TensorSource> source, at::Device device,
                         at::ScalarType compute_dtype, LoadListener listener)
    : source_(std::move(source)),
      device_(device),
      compute_dtype_(compute_dtype),
      listener_(std::move(listener)),
      rotations_(std::make_shared<std::map<std::int64_t, at::Tensor>>()) {
  if (!device.is_cpu()) uploader_ = std::make_shared<Uploader>(device);
}

WeightStore WeightStore::dry_run(std::shared_ptr<const TensorSource> source, at::Device device,
                                 at::ScalarType compute_dtype, LoadListener listener) {
  WeightStore store(std::move(source), at::kCPU, compute_dtype, std::move(listener));
  store.device_ = device;
  store.is_dry_run_ = true;
  return store;
}

WeightStore WeightStore::out_of(std::shared_ptr<RegisteredPages> pages) const {
  WeightStore store = *this;
  store.pages_ = std::move(pages);
  return store;
}

WeightStore WeightStore::looking_later() const {
  WeightStore store = *this;
  if (uploader_) store.arrivals_ = std::make_shared<Arrivals>(device_);
  return store;
}

WeightStore WeightStore::arriving_later() const {
  WeightStore store = *this;
  if (!uploader_) return store;
  store.arrivals_ = std::make_shared<Arrivals>(device_, uploader_);
  store.arrives_later_ = true;
  return store;
}

void WeightStore::check() const {
  if (arrivals_) arrivals_->check();
}

WeightStore WeightStore::weighing(std::shared_ptr<const TensorSource> source, at::Device device,
                                  at::ScalarType compute_dtype, WeighListener listener) {
  WeightStore store = dry_run(std::move(source), device, compute_dtype);
  store.weigh_listener_ = std::move(listener);
  return store;
}

WeightStore WeightStore::scope(const std::string& part) const {
  WeightStore inner = *this;
  inner.prefix_ += part + ".";
  return inner;
}

WeightStore WeightStore::scope(const std::string& part, std::int64_t index) const {
  return scope(part + "." + std::to_string(index));
}

bool WeightStore::is_damaged(const at::Tensor& tensor) const {
  return source_->reads_files() && !is_finite(tensor);
}

at::Tensor WeightStore::read_on_cpu(const std::string& full_name, at::IntArrayRef shape) const {
  const at::ScalarType storage_dtype = source_->storage_dtype(full_name, shape);
  const at::Tensor result = at::empty(shape, at::TensorOptions().dtype(compute_dtype_));
  const at::Tensor elements = result.view({-1});
  const auto size = static_cast<std::int64_t>(c10::elementSize(compute_dtype_));
  std::atomic<bool> damaged{false};
  // Each part is converted and looked at while it lies in the cache.
  read_in_parts(bytes_of(result), [&](std::int64_t begin, std::span<std::byte> part) {
    const at::Tensor there = elements.narrow(0, begin / size, static_cast<std::int64_t>(part.size()) / size);
    if (storage_dtype == compute_dtype_) {
      source_->read_bytes(full_name, shape, begin, part);
    } else {
      const at::Tensor stored = at::empty({there.numel()}, at::TensorOptions().dtype(storage_dtype));
      source_->read_bytes(full_name, shape, begin / size * static_cast<std::int64_t>(stored.element_size()),
                          bytes_of(stored));
      there.copy_(stored);
    }
    if (is_damaged(there)) damaged = true;
  });
  if (damaged) refuse_values(source_->where(full_name), full_name);
  return result;
}

WeightStore::Copied WeightStore::copy_pages(const std::string& full_name, at::IntArrayRef shape) const {
  if (!pages_) return {};
  const auto place = source_->place(full_name, shape);
  if (!place) return {};
  const at::Tensor tensor =
      at::empty(shape, at::TensorOptions().dtype(source_->storage_dtype(full_name, shape)).device(device_));
  if (!pages_->copy(*place->file, place->begin, tensor)) return {};
  return {tensor, place->file};
}

at::Tensor WeightStore::upload(const std::string& full_name, at::IntArrayRef shape,
                               at::ScalarType dtype) const {
  auto [tensor, file] = copy_pages(full_name, shape);
  if (!tensor.defined()) {
    const at::ScalarType stored = source_->storage_dtype(full_name, shape);
    tensor = uploader_->start(
        shape, stored,
        [source = source_, full_name, shape = shape.vec()](std::int64_t begin, std::span<std::byte> to) {
          source->read_bytes(full_name, shape, begin, to);
        });
    if (!arrives_later_ || stored != dtype) uploader_->arrive();
  }
  tensor = tensor.to(dtype);
  const std::string where = source_->where(full_name);
  if (arrivals_ && source_->reads_files() && Arrivals::takes(tensor)) {
    arrivals_->add(tensor, where, full_name, file);
    return tensor;
  }
  if (source_->reads_files()) uploader_->arrive();
  const bool is_damaged_there = is_damaged(tensor);
  if (file != nullptr) {
    // Whatever was there when the copy ran has arrived.
    c10::impl::VirtualGuardImpl(device_.type()).getStream(device_).synchronize();
    check_unchanged(*file);
  }
  if (is_damaged_there) refuse_values(where, full_name);
  return tensor;
}

void WeightStore::tell_weight(const TensorWeight& tensor) const {
  if (listener_) listener_(tensor.device_bytes);
  if (weigh_listener_) weigh_listener_(tensor);
}

std::uint64_t WeightStore::stored_bytes(const std::string& full_name, at::IntArrayRef shape) const {
  return static_cast<std::uint64_t>(c10::multiply_integers(shape)) *
         c10::elementSize(source_->storage_dtype(full_name, shape));
}

at::Tensor WeightStore::get(const std::string& name, at::IntArrayRef shape) const {
  const std::string full_name = prefix_ + name;
  at::Tensor tensor;
  if (is_dry_run_) {
    tensor = at::empty(shape, at::TensorOptions().dtype(compute_dtype_).device(at::kMeta));
    const std::uint64_t bytes = stored_bytes(full_name, shape);
    source_->quantised_form(full_name, shape);  // checks it
    tell_weight({.device_bytes = tensor.nbytes(),
                 .moved_bytes = bytes,
                 .file_bytes = bytes,
                 .is_converted = source_->storage_dtype(full_name, shape) != compute_dtype_});
    return tensor;
  }
  if (const auto form = source_->quantised_form(full_name, shape)) {
    const ops::QuantisedWeight weight = read_quantised(full_name, shape, *form);
    if (uploader_) uploader_->arrive();
    tensor = ops::dequantised(weight, {0, shape[0]}, compute_dtype_);
    if (weight.rotation.defined()) tensor = turned_back(tensor, weight.rotation);
  } else {
    tensor = uploader_ ? upload(full_name, shape, compute_dtype_) : read_on_cpu(full_name, shape);
  }
  if (listener_) listener_(tensor.nbytes());
  return tensor;
}

at::Tensor WeightStore::rotation(std::int64_t group) const {
  if (group == 0) return {};
  at::Tensor& matrix = (*rotations_)[group];
  if (!matrix.defined())
    matrix = ops::convrot_matrix(group, at::TensorOptions().dtype(compute_dtype_).device(device()));
  return matrix;
}

ops::QuantisedWeight WeightStore::read_quantised(const std::string& full_name, at::IntArrayRef shape,
                                                 const QuantisedForm& form) const {
  ops::QuantisedWeight weight{.rotation = rotation(form.rotated_group)};
  if (!uploader_) {
    const QuantisedValues read = source_->read_quantised(full_name, shape);
    weight.values = read.values;
    weight.scale = read.scale;
  } else if (form.comes_wide) {
    const at::Tensor wide = upload(full_name, shape, source_->storage_dtype(full_name, shape));
    uploader_->arrive();
    const ops::QuantisedRows rows = ops::quantise_rows(wide);
    weight.values = rows.values;
    weight.scale = rows.scale;
  } else {
    weight.values = upload(full_name, shape, form.values_dtype);
    weight.scale = source_->read_scale(full_name, shape).to(device_);
  }
  return weight;
}

std::optional<ops::QuantisedWeight> WeightStore::get_quantised(const std::string& name,
                                                               at::IntArrayRef shape) const {
  const std::string full_name = prefix_ + name;
  const auto form = source_->quantised_form(full_name, shape);
  if (!form) return std::nullopt;
  if (is_dry_run_) {
    const auto on_meta = at::TensorOptions().device(at::kMeta);
    ops::QuantisedWeight weight{.values = at::empty(shape, on_meta.dtype(form->values_dtype)),
                                .scale = at::empty({shape[0]}, on_meta.dtype(at::kFloat)),
                                .rotation = rotation(form->rotated_group)};
    const std::uint64_t stored = stored_bytes(full_name, shape);
    const bool comes_wide = form->comes_wide && !device_.is_cpu();
    tell_weight({.device_bytes = weight.values.nbytes(),
                 .moved_bytes = comes_wide ? stored : weight.values.nbytes(),
                 .file_bytes = stored,
                 .is_converted = comes_wide});
    tell_weight({.device_bytes = weight.scale.nbytes(),
                 .moved_bytes = weight.scale.nbytes(),
                 .file_bytes = weight.scale.nbytes()});
    return weight;
  }
  ops::QuantisedWeight weight = read_quantised(full_name, shape, *form);
  if (source_->product() == ops::Product::kFp8 && form->fastest == ops::Product::kFp8 &&
      ops::has_fp8_products(device_))
    weight.product = ops::Product::kFp8;
  if (listener_) {
    listener_(weight.values.nbytes());
    listener_(weight.scale.nbytes());
  }
  return weight;
}

void WeightStore::require(const std::string& name, at::IntArrayRef shape) const {
  source_->storage_dtype(prefix_ + name, shape);
}

at::Tensor WeightStore::get_rows(const std::string& name, at::IntArrayRef shape,
                                 std::span<const std::int64_t> numbers) const {
  const std::string full_name = prefix_ + name;
  const auto count = static_cast<std::int64_t>(numbers.size());
  const at::Tensor rows =
      at::empty({count, shape[1]}, at::TensorOptions().dtype(source_->storage_dtype(full_name, shape)));
  const std::span<std::byte> to = bytes_of(rows);
  const std::size_t row_bytes = numbers.empty() ? 0 : to.size() / numbers.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    source_->read_bytes(full_name, shape, numbers[i] * static_cast<std::int64_t>(row_bytes),
                        to.subspan(i * row_bytes, row_bytes));
  }
  if (const auto form = source_->quantised_form(full_name, shape)) {
    const at::Tensor scale = source_->read_scale(full_name, shape);
    const at::Tensor chosen =
        scale.index_select(0, at::tensor(at::IntArrayRef(numbers.data(), numbers.size())));
    const ops::QuantisedWeight weight{.values = rows, .scale = chosen};
    at::Tensor wide = ops::dequantised(weight, {0, count}, at::kFloat);
    if (is_damaged(wide)) refuse_values(source_->where(full_name), full_name);
    if (form->rotated_group != 0)
      wide = turned_back(wide, ops::convrot_matrix(form->rotated_group, wide.options()));
    return wide.to(device_, compute_dtype_);
  }
  if (is_damaged(rows)) refuse_values(source_->where(full_name), full_name);
  return rows.to(device_, compute_dtype_);
}

ops::Linear load_linear(const WeightStore& store, const std::string& name, std::int64_t in, std::int64_t out,
                        Bias bias) {
  auto quantised = store.get_quantised(name + ".weight", {out, in});
  const at::Tensor weight = quantised ? at::Tensor() : store.get(name + ".weight", {out, in});
  const at::Tensor offset = bias == Bias::kYes ? store.get(name + ".bias", {out}) : at::Tensor();
  if (quantised) return ops::Linear(*std::move(quantised), offset);
  return ops::Linear(weight, offset);
}

}  // namespace layerpipe::model
