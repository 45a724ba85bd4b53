// Weights as a network sees them: by scoped name, in the dtype and on the device that it computes with.
//
// Two words are kept apart: a tensor's storage dtype is that of its file, the compute dtype is what a network
// computes in.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "model/ops/linear.h"
#include "model/weights/arrivals.h"
#include "model/weights/registered_pages.h"
#include "model/weights/tensor_source.h"
#include "model/weights/uploader.h"

namespace layerpipe::model {

// Told how many bytes of the device's memory a tensor takes, once it is there or hardly more than 128 MiB
// from it, by the thread that asked for it. What it throws ends the loading.
using LoadListener = std::function<void(std::uint64_t bytes)>;

// What a tensor takes on its way to the device, in bytes.
struct TensorWeight {
  std::uint64_t device_bytes = 0;  // of the device's memory, once it is there
  std::uint64_t moved_bytes = 0;   // that come to the device for it
  std::uint64_t file_bytes = 0;    // that are read for it
  bool is_converted = false;       // on the device, from the dtype that it comes in
};
using WeighListener = std::function<void(const TensorWeight& tensor)>;

// A view of a TensorSource below a prefix. Cheap to copy. Reading converts from the storage dtype to the
// compute dtype, piece by piece, so that on a CPU it takes no more than the result and a MiB for each thread.
// Used by one thread, which has the work done by several.
class WeightStore {
 public:
  WeightStore(std::shared_ptr<const TensorSource> source, at::Device device, at::ScalarType compute_dtype,
              LoadListener listener = {});

  // A store that reads no data: every tensor is looked up and checked as if it were loaded, the listener is
  // told what it would take, and a tensor of its shape on the device "meta" is what the network gets. To
  // build a network from it is to ask whether the files hold the network, and how large it is.
  static WeightStore dry_run(std::shared_ptr<const TensorSource> source, at::Device device,
                             at::ScalarType compute_dtype, LoadListener listener = {});
  // The same, whose listener is told what each tensor takes on its way too.
  static WeightStore weighing(std::shared_ptr<const TensorSource> source, at::Device device,
                              at::ScalarType compute_dtype, WeighListener listener);

  // The same store, on a GPU taking what lies in files out of `pages`, as far as they can be registered.
  WeightStore out_of(std::shared_ptr<RegisteredPages> pages) const;

  // The same store, which looks at values on a GPU in check(), and in get() no more: what is got meanwhile
  // may be anything.
  WeightStore looking_later() const;
  // The same, whose tensors on a GPU may be used only behind check(): while the caller asks for the next
  // ones, they are read by threads of the store's own.
  WeightStore arriving_later() const;
  // Throws InputError as get() for what has been got since the last call, by this store and those of its
  // parts. Does nothing in a store that looks at once.
  void check() const;

  // The store of a part: names are looked up below "<this scope>.<part>".
  WeightStore scope(const std::string& part) const;
  WeightStore scope(const std::string& part, std::int64_t index) const;

  // Where its tensors come from. Stores of one source give the same weights.
  const std::shared_ptr<const TensorSource>& source() const noexcept { return source_; }

  bool contains(const std::string& name) const { return source_->contains(prefix_ + name); }

  // The tensor `name` of this scope. Throws InputError naming the tensor and its file when it is absent, its
  // shape is another, or its file holds values that are not finite numbers.
  at::Tensor get(const std::string& name, at::IntArrayRef shape) const;

  // A matrix that comes quantised, as it is stored; nothing for another one. Throws as get(), and InputError
  // for scales that are none.
  std::optional<ops::QuantisedWeight> get_quantised(const std::string& name, at::IntArrayRef shape) const;

  // Throws as get() when the tensor is absent or its shape is another; reads no data.
  void require(const std::string& name, at::IntArrayRef shape) const;

  // Rows of a table of which single ones are used, [numbers.size(), columns]: only they are read, so that the
  // table itself takes no memory. `shape` is [rows, columns], and every number one of a row. Throws as get();
  // values of other rows are not looked at.
  at::Tensor get_rows(const std::string& name, at::IntArrayRef shape,
                      std::span<const std::int64_t> numbers) const;

  // The device on which the network computes; "meta" in a dry run.
  at::Device device() const noexcept { return is_dry_run_ ? at::Device(at::kMeta) : device_; }
  at::ScalarType compute_dtype() const noexcept { return compute_dtype_; }

 private:
  at::Tensor read_on_cpu(const std::string& full_name, at::IntArrayRef shape) const;
  // A tensor that the device copies out of the file's pages.
  struct Copied {
    at::Tensor tensor;  // undefined where it cannot do that
    const common::InputFile* file = nullptr;
  };
  Copied copy_pages(const std::string& full_name, at::IntArrayRef shape) const;
  // On the device, in `dtype`, looked at or waiting for it.
  at::Tensor upload(const std::string& full_name, at::IntArrayRef shape, at::ScalarType dtype) const;
  ops::QuantisedWeight read_quantised(const std::string& full_name, at::IntArrayRef shape,
                                      const QuantisedForm& form) const;
  at::Tensor rotation(std::int64_t group) const;  // undefined for 0
  // Tells the listeners of a dry run.
  void tell_weight(const TensorWeight& tensor) const;
  std::uint64_t stored_bytes(const std::string& full_name, at::IntArrayRef shape) const;
  // Whether its values are to be looked at, since they may be anything, and are not finite numbers.
  bool is_damaged(const at::Tensor& tensor) const;

  std::shared_ptr<const TensorSource> source_;
  at::Device device_;
  at::ScalarType compute_dtype_;
  LoadListener listener_;
  WeighListener weigh_listener_;        // of a dry run
  std::shared_ptr<Uploader> uploader_;  // none when the device is the CPU
  std::shared_ptr<RegisteredPages> pages_;
  std::shared_ptr<Arrivals> arrivals_;  // none in a store that looks at once
  bool arrives_later_ = false;
  // By their orders: the layers of a network share them, and so do the stores of its parts.
  std::shared_ptr<std::map<std::int64_t, at::Tensor>> rotations_;
  bool is_dry_run_ = false;
  std::string prefix_;
};

enum class Bias { kYes, kNo };

// Reads "<name>.weight" and, unless told otherwise, "<name>.bias". A weight that is stored quantised stays
// so.
ops::Linear load_linear(const WeightStore& store, const std::string& name, std::int64_t in, std::int64_t out,
                        Bias bias = Bias::kYes);

}  // namespace layerpipe::model
