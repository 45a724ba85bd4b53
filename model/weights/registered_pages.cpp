#include "model/weights/registered_pages.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <vector>

#include "model/kernels/host_pages.h"

namespace layerpipe::model {

PageRegistrar registrar_for(at::Device device) {
  if (!device.is_cuda() || !kernels::can_pin_read_only(device))
    return {.pin = [](void*, std::uint64_t) { return false; }, .unpin = [](void*) {}};
  return {.pin = kernels::pin_read_only, .unpin = kernels::unpin};
}

RegisteredPages::RegisteredPages(at::Device device, PageRegistrar registrar, std::uint64_t most_bytes,
                                 std::uint64_t window_bytes)
    : device_(device),
      registrar_(std::move(registrar)),
      most_bytes_(most_bytes),
      window_bytes_(window_bytes) {}

RegisteredPages::~RegisteredPages() {
  for (auto& [stream, event] : copied_) {
    try {
      event.synchronize();
    } catch (...) {
      // A device that has failed copies nothing any more.
    }
  }
  for (auto& [key, pages] : windows_) registrar_.unpin(pages.data());
}

const common::MappedPages* RegisteredPages::window(const common::InputFile& file, std::uint64_t index) {
  const std::lock_guard lock(mutex_);
  const Key key{file.identity(), index};
  if (const auto found = windows_.find(key); found != windows_.end()) return &found->second;
  const std::uint64_t begin = index * window_bytes_;
  const std::uint64_t size = std::min(window_bytes_, file.size() - begin);
  if (refused_.contains(key.first) || registered_ + size > most_bytes_) return nullptr;
  auto mapped = common::MappedPages::map(file, begin, size);
  if (!mapped) {
    refused_.insert(key.first);
    return nullptr;
  }
  mapped->bring();
  const auto place = windows_.emplace(key, std::move(*mapped)).first;
  if (!registrar_.pin(place->second.data(), size)) {
    windows_.erase(place);
    refused_.insert(key.first);
    return nullptr;
  }
  registered_ += size;
  return &place->second;
}

bool RegisteredPages::copy(const common::InputFile& file, std::uint64_t begin, const at::Tensor& to) {
  const std::uint64_t bytes = to.nbytes();
  if (bytes == 0) return true;
  if (begin > file.size() || bytes > file.size() - begin) return false;
  const std::uint64_t first = begin / window_bytes_;
  std::vector<const common::MappedPages*> windows;
  for (std::uint64_t index = first; index * window_bytes_ < begin + bytes; ++index) {
    windows.push_back(window(file, index));
    if (windows.back() == nullptr) return false;
  }
  const at::Tensor target = to.view({-1}).view(at::kByte);
  std::uint64_t done = 0;
  for (const common::MappedPages* pages : windows) {
    const std::uint64_t within = (begin + done) % window_bytes_;
    const std::uint64_t count = std::min(bytes - done, pages->size() - within);
    const at::Tensor here =
        at::from_blob(static_cast<std::byte*>(pages->data()) + within, {static_cast<std::int64_t>(count)},
                      at::TensorOptions().dtype(at::kByte));
    target.narrow(0, static_cast<std::int64_t>(done), static_cast<std::int64_t>(count))
        .copy_(here, /*non_blocking=*/true);
    done += count;
  }
  note_copies();
  return true;
}

void RegisteredPages::note_copies() {
  if (device_.is_cpu()) return;
  const c10::Stream stream = c10::impl::VirtualGuardImpl(device_.type()).getStream(device_);
  const std::lock_guard lock(mutex_);
  copied_.try_emplace(stream.id(), device_.type()).first->second.record(stream);
}

std::uint64_t RegisteredPages::registered_bytes() const {
  const std::lock_guard lock(mutex_);
  return registered_;
}

}  // namespace layerpipe::model
