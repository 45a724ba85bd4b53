// Copies from files to a GPU at the speed of the bus.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace layerpipe::model {

// A plain copy of pageable memory goes through one thread of the driver. Here several threads fill pinned
// buffers, and the device empties them meanwhile. The buffers (64 MiB in all) live as long as the object.
// Used by one thread.
class Uploader {
 public:
  explicit Uploader(at::Device device);

  // Fills `to` with the bytes of a tensor from number `begin` on. Called by several threads at once.
  using ReadBytes = std::function<void(std::int64_t begin, std::span<std::byte> to)>;

  // A contiguous tensor on the device, of the bytes that `read` gives, ready for what the calling thread
  // enqueues next on the device's current stream. What `read` throws passes.
  at::Tensor upload(at::IntArrayRef shape, at::ScalarType dtype, const ReadBytes& read);

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
