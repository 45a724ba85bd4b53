#include "model/weights/uploader.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <utility>

namespace layerpipe::model {
namespace {

// Measured on an H200's host with 16 cores: 51 GB/s, with pieces of 2 MiB 48, of 8 MiB 44 to 48; 8 threads
// bring 45 to 48 (docs/performance.md).
constexpr std::int64_t kPieceBytes = 4 << 20;
constexpr int kMostThreads = 12;
constexpr std::int64_t kSlotsOfAThread = 2;
// Enough for all threads, and so few that what has been started is hardly more than what has arrived.
constexpr std::size_t kMostWaiting = 32;

}  // namespace

struct Uploader::Upload {
  at::Tensor target;  // [bytes], uint8, on the device
  ReadBytes read;
  c10::Stream stream;
};

Uploader::Uploader(at::Device device) : device_(device) {}

void Uploader::make_lanes() {
  const int count = std::clamp(at::get_num_threads(), 1, kMostThreads);
  lanes_.resize(static_cast<std::size_t>(count));
  for (Lane& lane : lanes_) {
    // LibTorch pins whole powers of 2.
    const at::Tensor buffers =
        at::empty({kSlotsOfAThread, kPieceBytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(true));
    for (std::int64_t i = 0; i < kSlotsOfAThread; ++i)
      lane.slots.push_back({buffers.select(0, i), c10::Event(device_.type())});
  }
  threads_.emplace(count, kMostWaiting);
}

void Uploader::copy_piece(Lane& lane, const Upload& upload, std::int64_t begin) {
  const std::int64_t count = std::min(kPieceBytes, upload.target.numel() - begin);
  Slot& slot = lane.slots[lane.next];
  lane.next = (lane.next + 1) % lane.slots.size();
  slot.emptied.synchronize();  // at once where nothing was recorded
  upload.read(begin,
              {static_cast<std::byte*>(slot.buffer.mutable_data_ptr()), static_cast<std::size_t>(count)});
  const c10::StreamGuard guard(upload.stream);
  upload.target.narrow(0, begin, count).copy_(slot.buffer.narrow(0, 0, count), /*non_blocking=*/true);
  slot.emptied.record(upload.stream);
}

at::Tensor Uploader::start(at::IntArrayRef shape, at::ScalarType dtype, ReadBytes read) {
  if (!threads_) make_lanes();
  const at::Tensor result = at::empty(shape, at::TensorOptions().dtype(dtype).device(device_));
  started_.push_back(std::make_shared<const Upload>(
      Upload{.target = result.view({-1}).view(at::kByte),
             .read = std::move(read),
             .stream = c10::impl::VirtualGuardImpl(device_.type()).getStream(device_)}));
  const auto& upload = started_.back();
  for (std::int64_t begin = 0; begin < upload->target.numel(); begin += kPieceBytes) {
    threads_->add([this, upload, begin](int thread) {
      copy_piece(lanes_[static_cast<std::size_t>(thread)], *upload, begin);
    });
  }
  return result;
}

void Uploader::arrive() {
  if (started_.empty()) return;
  const auto started = std::exchange(started_, {});
  threads_->finish();
}

at::Tensor Uploader::upload(at::IntArrayRef shape, at::ScalarType dtype, ReadBytes read) {
  const at::Tensor result = start(shape, dtype, std::move(read));
  arrive();
  return result;
}

}  // namespace layerpipe::model
