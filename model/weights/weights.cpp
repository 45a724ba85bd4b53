#include "model/weights/weights.h"

#include <ATen/Functions.h>

namespace layerpipe::model {

WeightStore::WeightStore(std::shared_ptr<const TensorSource> source, at::Device device, at::ScalarType dtype)
    : source_(std::move(source)), device_(device), dtype_(dtype) {}

WeightStore WeightStore::scope(const std::string& part) const {
  WeightStore inner = *this;
  inner.prefix_ += part + ".";
  return inner;
}

WeightStore WeightStore::scope(const std::string& part, std::int64_t index) const {
  return scope(part + "." + std::to_string(index));
}

at::Tensor WeightStore::get(const std::string& name, at::IntArrayRef shape) const {
  return source_->read(prefix_ + name, shape).to(device_, dtype_);
}

at::Tensor WeightStore::get_on_host(const std::string& name, at::IntArrayRef shape) const {
  return source_->read(prefix_ + name, shape);
}

Linear load_linear(const WeightStore& store, const std::string& name, std::int64_t in, std::int64_t out,
                   Bias bias) {
  Linear linear;
  linear.weight = store.get(name + ".weight", {out, in});
  if (bias == Bias::kYes) linear.bias = store.get(name + ".bias", {out});
  return linear;
}

}  // namespace layerpipe::model
