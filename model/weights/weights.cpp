#include "model/weights/weights.h"

#include <ATen/Functions.h>

#include <cmath>

#include "common/errors.h"

namespace layerpipe::model {
namespace {

// A sum is one pass without a temporary. It is finite only when all terms are; when it is not, it may have
// overflowed, and the terms are looked at.
bool is_finite(const at::Tensor& x) {
  return std::isfinite(x.sum(at::kFloat).item<float>()) || at::isfinite(x).all().item<bool>();
}

}  // namespace

WeightStore::WeightStore(std::shared_ptr<const TensorSource> source, at::Device device, at::ScalarType dtype,
                         LoadListener listener)
    : source_(std::move(source)), device_(device), dtype_(dtype), listener_(std::move(listener)) {
  if (!device.is_cpu()) uploader_ = std::make_shared<Uploader>(device);
}

WeightStore WeightStore::dry_run(std::shared_ptr<const TensorSource> source, at::Device device,
                                 at::ScalarType dtype, LoadListener listener) {
  WeightStore store(std::move(source), at::kCPU, dtype, std::move(listener));
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

void WeightStore::tell(std::uint64_t bytes, at::ScalarType stored) const {
  if (!listener_) return;
  const bool is_view = source_->gives_views() && device_.is_cpu() && stored == dtype_;
  listener_(is_view ? 0 : bytes);
}

at::Tensor WeightStore::get(const std::string& name, at::IntArrayRef shape) const {
  const std::string full_name = prefix_ + name;
  if (is_dry_run_) {
    const at::ScalarType stored = source_->check(full_name, shape);
    const at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype_).device(at::kMeta));
    tell(tensor.nbytes(), stored);
    return tensor;
  }
  const at::Tensor stored = source_->read(full_name, shape);
  const at::Tensor tensor = (uploader_ ? uploader_->copy(stored) : stored).to(dtype_);
  if (!is_finite(tensor)) {
    throw common::InputError(
        source_->where(full_name) + ": tensor \"" + full_name + "\" holds values that are not finite numbers",
        "The file is damaged; copy or download it again.");
  }
  tell(tensor.nbytes(), stored.scalar_type());
  return tensor;
}

at::Tensor WeightStore::get_on_host(const std::string& name, at::IntArrayRef shape) const {
  if (!is_dry_run_) return source_->read(prefix_ + name, shape);
  const at::ScalarType stored = source_->check(prefix_ + name, shape);
  return at::empty(shape, at::TensorOptions().dtype(stored).device(at::kMeta));
}

Linear load_linear(const WeightStore& store, const std::string& name, std::int64_t in, std::int64_t out,
                   Bias bias) {
  Linear linear;
  linear.weight = store.get(name + ".weight", {out, in});
  if (bias == Bias::kYes) linear.bias = store.get(name + ".bias", {out});
  return linear;
}

}  // namespace layerpipe::model
