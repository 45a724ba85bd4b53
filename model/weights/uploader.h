// Copies from files to a GPU at the speed of the bus.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/weights/reading_threads.h"

namespace layerpipe::model {

// A plain copy of pageable memory goes through one thread of the driver. Here several threads (LibTorch's
// number of them, 12 at most) read pieces of 4 MiB into pinned buffers, two to each, and the device empties
// them meanwhile. Threads and buffers (96 MiB at most) come with the first tensor and live as long as the
// object. Used by one thread.
class Uploader {
 public:
  explicit Uploader(at::Device device);
  Uploader(const Uploader&) = delete;
  Uploader& operator=(const Uploader&) = delete;
  // What was started and has not arrived holds anything.
  ~Uploader() = default;

  // Fills `to` with the bytes of a tensor from number `begin` on. Called by several threads at once.
  using ReadBytes = std::function<void(std::int64_t begin, std::span<std::byte> to)>;

  // A contiguous tensor on the device that the bytes which `read` gives are on their way to, over the
  // device's current stream. It may be used behind arrive(); `read` is called until then.
  at::Tensor start(at::IntArrayRef shape, at::ScalarType dtype, ReadBytes read);

  // Waits until all that was started has been read and its copies are enqueued, so that what the calling
  // thread enqueues next on the same stream finds it. Throws what `read` threw; then the tensors that were
  // started since the last call hold anything.
  void arrive();

  // Both, for one tensor.
  at::Tensor upload(at::IntArrayRef shape, at::ScalarType dtype, ReadBytes read);

 private:
  struct Slot {
    at::Tensor buffer;  // [piece bytes], pinned
    c10::Event emptied;
  };
  // What one thread has, and uses in turns.
  struct Lane {
    std::vector<Slot> slots;
    std::size_t next = 0;
  };
  struct Upload;
  void make_lanes();
  static void copy_piece(Lane& lane, const Upload& upload, std::int64_t begin);

  at::Device device_;
  std::vector<Lane> lanes_;
  // Since the last arrive(): memory that a copy is still to be enqueued to is not given back before.
  std::vector<std::shared_ptr<const Upload>> started_;
  std::optional<ReadingThreads> threads_;  // the last member: they use the others
};

}  // namespace layerpipe::model
