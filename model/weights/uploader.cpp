#include "model/weights/uploader.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

#include "model/weights/tensor_source.h"

namespace layerpipe::model {
namespace {

constexpr std::int64_t kSlotBytes = 16 << 20;
// Less than this is quicker to copy than to stage.
constexpr std::int64_t kStagedFrom = 1 << 20;
}  // namespace

Uploader::Uploader(at::Device device)
    : device_(device),
      slots_{Slot{{}, c10::Event(device.type())}, Slot{{}, c10::Event(device.type())},
             Slot{{}, c10::Event(device.type())}, Slot{{}, c10::Event(device.type())}} {}

Uploader::Slot& Uploader::next_slot() {
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();
  if (slot.buffer.defined()) {
    slot.emptied.synchronize();
  } else {
    slot.buffer = at::empty({kSlotBytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(true));
  }
  return slot;
}

at::Tensor Uploader::upload(at::IntArrayRef shape, at::ScalarType dtype, const ReadBytes& read) {
  const auto options = at::TensorOptions().dtype(dtype);
  const auto read_into = [&](const at::Tensor& host, std::int64_t begin, std::int64_t count) {
    const std::span to(static_cast<std::byte*>(host.mutable_data_ptr()), static_cast<std::size_t>(count));
    read_in_parts(to, [&](std::int64_t first, std::span<std::byte> part) { read(begin + first, part); });
  };
  const at::Tensor result = at::empty(shape, options.device(device_));
  const auto bytes = static_cast<std::int64_t>(result.nbytes());
  if (bytes < kStagedFrom) {
    const at::Tensor host = at::empty(shape, options);
    read_into(host, 0, bytes);
    return result.copy_(host);
  }
  const at::Tensor target = result.view({-1}).view(at::kByte);
  const c10::impl::VirtualGuardImpl guard(device_.type());
  const c10::Stream stream = guard.getStream(device_);
  for (std::int64_t begin = 0; begin < bytes; begin += kSlotBytes) {
    const std::int64_t count = std::min(kSlotBytes, bytes - begin);
    Slot& slot = next_slot();
    read_into(slot.buffer, begin, count);
    target.narrow(0, begin, count).copy_(slot.buffer.narrow(0, 0, count), /*non_blocking=*/true);
    slot.emptied.record(stream);
  }
  return result;
}

}  // namespace layerpipe::model
