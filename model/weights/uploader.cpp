#include "model/weights/uploader.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cstring>

#include "common/errors.h"

namespace layerpipe::model {
namespace {

constexpr std::int64_t kSlotBytes = 16 << 20;
// Less than this is quicker to copy than to stage.
constexpr std::int64_t kStagedFrom = 1 << 20;
// What one thread copies at a time: large enough to be worth its start.
constexpr std::int64_t kGrain = 1 << 20;

void copy_in_parallel(std::byte* to, const std::byte* from, std::int64_t bytes) {
  at::parallel_for(0, bytes, kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin));
  });
}

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

at::Tensor Uploader::copy(const at::Tensor& host) {
  common::ensure(host.is_cpu() && host.is_contiguous(), "an upload needs contiguous host memory");
  const auto bytes = static_cast<std::int64_t>(host.nbytes());
  if (bytes < kStagedFrom) return host.to(device_);
  const at::Tensor result = at::empty(host.sizes(), host.options().device(device_));
  const at::Tensor target = result.view({-1}).view(at::kByte);
  const auto* source = static_cast<const std::byte*>(host.const_data_ptr());
  const c10::impl::VirtualGuardImpl guard(device_.type());
  const c10::Stream stream = guard.getStream(device_);
  for (std::int64_t begin = 0; begin < bytes; begin += kSlotBytes) {
    const std::int64_t count = std::min(kSlotBytes, bytes - begin);
    Slot& slot = next_slot();
    copy_in_parallel(static_cast<std::byte*>(slot.buffer.mutable_data_ptr()), source + begin, count);
    target.narrow(0, begin, count).copy_(slot.buffer.narrow(0, 0, count), /*non_blocking=*/true);
    slot.emptied.record(stream);
  }
  return result;
}

}  // namespace layerpipe::model
