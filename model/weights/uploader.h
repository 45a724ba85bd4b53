// Copies from host memory to a GPU at the speed of the bus.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <array>
#include <cstddef>

namespace layerpipe::model {

// A plain copy of pageable memory goes through one thread of the driver. Here several threads fill pinned
// buffers, and the device empties them meanwhile. The buffers (64 MiB in all) live as long as the object.
// Used by one thread.
class Uploader {
 public:
  explicit Uploader(at::Device device);

  // A copy of `host` (contiguous, in host memory) on the device, in the same dtype, ready for what the
  // calling thread enqueues next on the device's current stream.
  at::Tensor copy(const at::Tensor& host);

 private:
  struct Slot {
    at::Tensor buffer;  // [slot bytes], pinned
    c10::Event emptied;
  };
  Slot& next_slot();

  at::Device device_;
  std::array<Slot, 4> slots_;
  std::size_t next_ = 0;
};

}  // namespace layerpipe::model
