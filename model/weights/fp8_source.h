// Weights that become e4m3 while they are read.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>

#include "model/weights/tensor_source.h"

namespace layerpipe::model {

// A source whose matrices are kept in e4m3, those that are chosen, with a scale for each of their rows; each
// is quantised as it is read, a few rows at a time. Weights that come quantised stay as they are, and then
// nothing beside them is quantised: who made the file chose. Products may be of e4m3 matrices.
class Fp8Source : public TensorSource {
 public:
  // That a thread quantises at a time, for which it has them as they are stored and in fp32: enough for a
  // system call to cost nothing, and few enough for a cache. A longer row is read as a whole.
  static constexpr std::int64_t kReadElements = 1 << 18;

  using Choice = std::function<bool(const std::string& tensor)>;

  Fp8Source(std::shared_ptr<const TensorSource> inner, Choice is_chosen)
      : inner_(std::move(inner)), is_chosen_(std::move(is_chosen)) {}

  bool contains(const std::string& name) const override { return inner_->contains(name); }
  at::ScalarType storage_dtype(const std::string& name, at::IntArrayRef shape) const override {
    return inner_->storage_dtype(name, shape);
  }
  void read_bytes(const std::string& name, at::IntArrayRef shape, std::int64_t begin,
                  std::span<std::byte> to) const override {
    inner_->read_bytes(name, shape, begin, to);
  }
  std::optional<PlaceInFile> place(const std::string& name, at::IntArrayRef shape) const override {
    return inner_->place(name, shape);
  }
  bool reads_files() const noexcept override { return inner_->reads_files(); }
  std::string where(const std::string& name) const override { return inner_->where(name); }

  bool is_quantised() const override { return true; }
  std::optional<QuantisedForm> quantised_form(const std::string& name, at::IntArrayRef shape) const override;
  at::Tensor read_scale(const std::string& name, at::IntArrayRef shape) const override {
    return inner_->read_scale(name, shape);
  }
  QuantisedValues read_quantised(const std::string& name, at::IntArrayRef shape) const override;
  ops::Product product() const noexcept override { return ops::Product::kFp8; }

 private:
  std::shared_ptr<const TensorSource> inner_;
  Choice is_chosen_;
};

}  // namespace layerpipe::model
