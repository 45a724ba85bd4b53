#include "model/weights/weights.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>

#include <atomic>
#include <cmath>

#include "common/errors.h"

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
  // A sum is one pass without a temporary. It is finite only when all terms are; when it is not, it may have
  // overflowed, and the terms are looked at.
  return std::isfinite(x.sum(at::kFloat).item<float>()) || at::isfinite(x).all().item<bool>();
}

}  // namespace

WeightStore::WeightStore(std::shared_ptr<const TensorSource> source, at::Device device,
                         at::ScalarType compute_dtype, LoadListener listener)
    : source_(std::move(source)),
      device_(device),
      compute_dtype_(compute_dtype),
      listener_(std::move(listener)) {
  if (!device.is_cpu()) uploader_ = std::make_shared<Uploader>(device);
}

WeightStore WeightStore::dry_run(std::shared_ptr<const TensorSource> source, at::Device device,
                                 at::ScalarType compute_dtype, LoadListener listener) {
  WeightStore store(std::move(source), at::kCPU, compute_dtype, std::move(listener));
  store.device_ = device;
  store.is_dry_run_ = true;
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

void WeightStore::tell(std::uint64_t bytes, at::ScalarType storage_dtype) const {
  if (!listener_) return;
  const bool is_view = source_->reads_files() && device_.is_cpu() && storage_dtype == compute_dtype_;
  listener_(is_view ? 0 : bytes);
}

void WeightStore::check_finite(const std::string& full_name, const at::Tensor& tensor) const {
  if (!source_->reads_files() || is_finite(tensor)) return;
  throw common::InputError(
      source_->where(full_name) + ": tensor \"" + full_name + "\" holds values that are not finite numbers",
      "The file is damaged; copy or download it again.");
}

at::Tensor WeightStore::get(const std::string& name, at::IntArrayRef shape) const {
  const std::string full_name = prefix_ + name;
  if (is_dry_run_) {
    const at::ScalarType storage_dtype = source_->storage_dtype(full_name, shape);
    const at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(compute_dtype_).device(at::kMeta));
    tell(tensor.nbytes(), storage_dtype);
    return tensor;
  }
  const at::Tensor stored = source_->read(full_name, shape);
  const at::Tensor tensor = (uploader_ ? uploader_->copy(stored) : stored).to(compute_dtype_);
  check_finite(full_name, tensor);
  tell(tensor.nbytes(), stored.scalar_type());
  return tensor;
}

at::Tensor WeightStore::get_on_host(const std::string& name, at::IntArrayRef shape) const {
  const std::string full_name = prefix_ + name;
  if (is_dry_run_) {
    const at::ScalarType storage_dtype = source_->storage_dtype(full_name, shape);
    return at::empty(shape, at::TensorOptions().dtype(storage_dtype).device(at::kMeta));
  }
  const at::Tensor tensor = source_->read(full_name, shape);
  check_finite(full_name, tensor);
  return tensor;
}

ops::Linear load_linear(const WeightStore& store, const std::string& name, std::int64_t in, std::int64_t out,
                        Bias bias) {
  const at::Tensor weight = store.get(name + ".weight", {out, in});
  return ops::Linear(weight, bias == Bias::kYes ? store.get(name + ".bias", {out}) : at::Tensor());
}

}  // namespace layerpipe::model
