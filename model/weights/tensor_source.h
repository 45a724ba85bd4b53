// Where named tensors come from: a model's files, or a generator of random weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "common/input_file.h"
#include "model/ops/quantised_weight.h"

namespace layerpipe::model {

// How a tensor is quantised where it comes from.
struct QuantisedForm {
  at::ScalarType values_dtype{};                     // e4m3 or int8
  std::int64_t rotated_group = 0;                    // as ops::QuantisedWeight's rotation; 0: none
  ops::Product fastest = ops::Product::kWeightOnly;  // that may be taken
  // read_bytes() gives the values before they are quantised, as ops::quantise_rows() does it.
  bool comes_wide = false;
};

// A quantised matrix in host memory of its own.
struct QuantisedValues {
  at::Tensor values;  // [rows, columns], e4m3 or int8
  at::Tensor scale;   // [rows], fp32, positive
};

// Where a tensor lies, from its first byte on. The file is open as long as the source.
struct PlaceInFile {
  const common::InputFile* file = nullptr;
  std::uint64_t begin = 0;
};

// One network's tensors by full name. Thread-safe: every function may be called by several threads at once.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  virtual bool contains(const std::string& name) const = 0;

  // The dtype that the tensor `name`, which has to have `shape`, has where it comes from, whatever is
  // computed in. Throws InputError naming the tensor and its file when it is absent or has another shape;
  // reads no data.
  virtual at::ScalarType storage_dtype(const std::string& name, at::IntArrayRef shape) const = 0;

  // Fills `to` with the tensor's bytes from number `begin` on, as it lies in rows in its storage dtype; both
  // ends are those of an element. Throws as storage_dtype(), and InputError naming both when the file cannot
  // be read, or has changed since its header was read.
  virtual void read_bytes(const std::string& name, at::IntArrayRef shape, std::int64_t begin,
                          std::span<std::byte> to) const = 0;

  // The whole tensor, in host memory of its own, in its storage dtype. Reads by several threads. Throws as
  // read_bytes().
  at::Tensor read(const std::string& name, at::IntArrayRef shape) const;

  // Whether any tensor is quantised.
  virtual bool is_quantised() const { return false; }
  // How the tensor `name` is stored, when it is a quantised matrix; throws as storage_dtype(). The next two
  // are for such a one alone.
  virtual std::optional<QuantisedForm> quantised_form(const std::string& name, at::IntArrayRef shape) const;
  // The scale of each row. Throws as read_bytes(), and InputError for what is no scale.
  virtual at::Tensor read_scale(const std::string& name, at::IntArrayRef shape) const;
  // All of it. Reads by several threads. Throws as read_scale(), and InputError for values that are NaN.
  virtual QuantisedValues read_quantised(const std::string& name, at::IntArrayRef shape) const;
  // How quantised matrices are to be multiplied, where the device can and the form allows it.
  virtual ops::Product product() const noexcept { return ops::Product::kWeightOnly; }

  // Where a tensor's bytes lie, as read_bytes() gives them; nothing when they do not lie so in one file.
  // Throws as storage_dtype().
  virtual std::optional<PlaceInFile> place(const std::string& name, at::IntArrayRef shape) const;

  // Whether what is read comes from files, which may hold anything.
  virtual bool reads_files() const noexcept = 0;

  // What messages call the place of a tensor that is there: its file, or "random weights".
  virtual std::string where(const std::string& name) const = 0;
};

// Throws the InputError of a tensor that holds what is no finite number.
[[noreturn]] void refuse_values(const std::string& where, const std::string& name);

// Large enough that a system call costs nothing, small enough for the cache.
inline constexpr std::int64_t kReadPartBytes = 1 << 20;

// Calls `read` with all parts of `to`, of that size, each with the number of its first byte, by several
// threads at once: each part is read into a processor's cache of its own. Ends of parts are those of elements
// of any dtype.
void read_in_parts(std::span<std::byte> to,
                   const std::function<void(std::int64_t begin, std::span<std::byte> part)>& read);

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
  void read_bytes(const std::string& name, at::IntArrayRef shape, std::int64_t begin,
                  std::span<std::byte> to) const override;
  bool reads_files() const noexcept override { return false; }
  std::string where(const std::string&) const override { return "random weights"; }

 private:
  std::string component_;
  at::ScalarType storage_dtype_;
};

}  // namespace layerpipe::model
