// Where named tensors come from: a model's files, or a generator of random weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::model {

// One network's tensors by full name. Thread-safe: every function may be called by several threads at once.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  virtual bool contains(const std::string& name) const = 0;

  // The dtype that the tensor `name` has where it comes from, whatever is computed in. Throws what read()
  // would throw; reads no data.
  virtual at::ScalarType storage_dtype(const std::string& name, at::IntArrayRef shape) const = 0;

  // The tensor `name`, which has to have `shape`. It lies in host memory in its storage dtype and may
  // be a read-only view of a mapped file, kept alive by the tensor. Throws InputError naming the tensor and
  // its file when it is absent or has another shape.
  virtual at::Tensor read(const std::string& name, at::IntArrayRef shape) const = 0;

  // Whether read() gives views of mapped files: these take no memory of their own, and may hold anything.
  virtual bool reads_files() const noexcept = 0;

  // What messages call the place of a tensor that is there: its file, or "random weights".
  virtual std::string where(const std::string& name) const = 0;
};

// Deterministic random weights: the values depend on the component, the tensor's name and its shape alone,
// not on the device, the number of threads or the order of reads. Scales are those of a freshly initialised
// network: matrices and convolutions keep a unit variance, norms lie around one, biases near zero. Needs no
// file.
class RandomTensorSource : public TensorSource {
 public:
  RandomTensorSource(std::string component, at::ScalarType storage_dtype)
      : component_(std::move(component)), storage_dtype_(storage_dtype) {}
  bool contains(const std::string&) const override { return true; }
  at::ScalarType storage_dtype(const std::string&, at::IntArrayRef) const override { return storage_dtype_; }
  at::Tensor read(const std::string& name, at::IntArrayRef shape) const override;
  bool reads_files() const noexcept override { return false; }
  std::string where(const std::string&) const override { return "random weights"; }

 private:
  std::string component_;
  at::ScalarType storage_dtype_;
};

}  // namespace layerpipe::model
