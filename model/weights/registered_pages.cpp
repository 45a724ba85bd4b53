#include "model/weights/registered_pages.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

#include "common/errors.h"
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
  if (!device_.is_cpu() && !windows_.empty()) {
    try {
      c10::impl::VirtualGuardImpl(device_.type()).synchronizeDevice(device_.index());
    } catch (...) {
      // A device that has failed copies nothing any more.
    }
  }
  for (auto& [key, window] : windows_) registrar_.unpin(window.pages.data());
}

const RegisteredPages::Window* RegisteredPages::window(const common::InputFile& file, std::uint64_t index) {
  const std::lock_guard lock(mutex_);
  const Key key{file.identity(), index};
  if (const auto found = windows_.find(key); found != windows_.end()) return &found->second;
  const std::uint64_t begin = index * window_bytes_;
  const std::uint64_t size = std::min(window_bytes_, file.size() - begin);
  if (is_refused_ || registered_ + size > most_bytes_) return nullptr;
  // Pinning takes the pages one after the other, and waits for each that the disk has to bring.
  file.read_ahead(begin, size);
  auto pages = common::MappedPages::map(file, begin, size);
  if (!pages || !registrar_.pin(pages->data(), size)) {
    is_refused_ = true;
    return nullptr;
  }
  registered_ += size;
  return &windows_.emplace(key, Window{std::move(*pages)}).first->second;
}

bool RegisteredPages::copy(const common::InputFile& file, std::uint64_t begin, const at::Tensor& to) {
  const std::uint64_t bytes = to.nbytes();
  if (bytes == 0) return true;
  if (begin > file.size() || bytes > file.size() - begin) return false;
  const at::Tensor target = to.view({-1}).view(at::kByte);
  for (std::uint64_t done = 0; done < bytes;) {
    const std::uint64_t place = begin + done;
    const Window* const found = window(file, place / window_bytes_);
    if (found == nullptr) return false;
    const std::uint64_t within = place % window_bytes_;
    const std::uint64_t count = std::min(bytes - done, found->pages.size() - within);
    const at::Tensor here =
        at::from_blob(static_cast<std::byte*>(found->pages.data()) + within,
                      {static_cast<std::int64_t>(count)}, at::TensorOptions().dtype(at::kByte));
    target.narrow(0, static_cast<std::int64_t>(done), static_cast<std::int64_t>(count))
        .copy_(here, /*non_blocking=*/true);
    done += count;
  }
  return true;
}

std::uint64_t RegisteredPages::registered_bytes() const {
  const std::lock_guard lock(mutex_);
  return registered_;
}

}  // namespace layerpipe::model
