// Weights that are on their way to a GPU, and are looked at together.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/input_file.h"
#include "model/weights/uploader.h"

namespace layerpipe::model {

// To look at each tensor when it has arrived is to wait for each: the bus would idle between them. Used by
// one thread.
class Arrivals {
 public:
  // Tensors are looked at behind uploader->arrive(), when there is an uploader, and else as soon as they are
  // added.
  explicit Arrivals(at::Device device, std::shared_ptr<Uploader> uploader = nullptr)
      : device_(device), uploader_(std::move(uploader)) {}

  // Whether such a tensor can be looked at later.
  static bool takes(const at::Tensor& tensor);

  // A tensor that takes(), and has been enqueued on the device's current stream or started by the uploader.
  // `where` and `name` are what messages call its place and it; `file` is the one that the device itself
  // copies from, null otherwise, and is open until check(). Throws as check() for those that were added
  // before.
  void add(const at::Tensor& tensor, const std::string& where, const std::string& name,
           const common::InputFile* file);

  // Waits for all that were added since the last call. Throws what the uploader throws, and InputError when a
  // file has changed, or values are no finite numbers.
  void check();

 private:
  struct Entry {
    std::string where;
    std::string name;
    at::Tensor unseen;  // undefined once it is being looked at
  };
  void look(Entry& entry, std::size_t number);

  at::Device device_;
  std::shared_ptr<Uploader> uploader_;
  at::Tensor found_;  // [kMost], int32, on the device: which of the entries hold such values
  at::Tensor seen_;   // the same in pinned memory, since a copy to other memory may hold up other threads
  std::vector<Entry> entries_;
  std::vector<const common::InputFile*> files_;  // each once
};

}  // namespace layerpipe::model
