// Weights that are on their way to a GPU, and are looked at together.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/input_file.h"

namespace layerpipe::model {

// To look at each tensor when it has arrived is to wait for each: the bus would idle between them. Used by
// one thread.
class Arrivals {
 public:
  explicit Arrivals(at::Device device) : device_(device) {}

  // Whether such a tensor can be looked at later.
  static bool takes(const at::Tensor& tensor);

  // A tensor that takes() and has been enqueued on the device's current stream. `where` and `name` are what
  // messages call its place and it; `file` is the one that the device itself copies from, null otherwise, and
  // is open until check().
  void add(const at::Tensor& tensor, const std::string& where, const std::string& name,
           const common::InputFile* file);

  // Waits for all that were added since the last call. Throws InputError when a file has changed, or values
  // are no finite numbers.
  void check();

 private:
  struct Entry {
    std::string where;
    std::string name;
  };
  at::Device device_;
  at::Tensor found_;  // [kMost], int32, on the device: which of the entries hold such values
  at::Tensor seen_;   // the same in pinned memory, since a copy to other memory may hold up other threads
  std::vector<Entry> entries_;
  std::vector<const common::InputFile*> files_;  // each once
};

}  // namespace layerpipe::model
