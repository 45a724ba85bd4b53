// Weights as a network sees them: by scoped name, in the dtype and on the device that it computes with.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "model/weights/tensor_source.h"

namespace layerpipe::model {

// A view of a TensorSource below a prefix. Cheap to copy. Reading converts: a tensor that is stored in
// another dtype, or in host memory while the device is a GPU, is copied; one that is already right is a view
// of the mapped file.
class WeightStore {
 public:
  WeightStore(std::shared_ptr<const TensorSource> source, at::Device device, at::ScalarType dtype);

  // The store of a part: names are looked up below "<this scope>.<part>".
  WeightStore scope(const std::string& part) const;
  WeightStore scope(const std::string& part, std::int64_t index) const;

  bool contains(const std::string& name) const { return source_->contains(prefix_ + name); }

  // The tensor `name` of this scope. Throws InputError naming the tensor and its file when it is absent or
  // its shape is another.
  at::Tensor get(const std::string& name, at::IntArrayRef shape) const;

  // The same, left in host memory whatever the device: for tables of which single rows are looked up.
  at::Tensor get_on_host(const std::string& name, at::IntArrayRef shape) const;

  at::Device device() const noexcept { return device_; }
  at::ScalarType dtype() const noexcept { return dtype_; }

 private:
  std::shared_ptr<const TensorSource> source_;
  at::Device device_;
  at::ScalarType dtype_;
  std::string prefix_;
};

// An affine map y = x Wᵀ + b.
struct Linear {
  at::Tensor weight;  // [out, in], compute dtype
  at::Tensor bias;    // [out], compute dtype; undefined when the layer has none
};

enum class Bias { kYes, kNo };

// Reads "<name>.weight" and, unless told otherwise, "<name>.bias".
Linear load_linear(const WeightStore& store, const std::string& name, std::int64_t in, std::int64_t out,
                   Bias bias = Bias::kYes);

}  // namespace layerpipe::model
