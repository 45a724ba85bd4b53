// Copies out of the page cache by the device itself: no copy by the CPU, no memory beside the cache, and one
// set of pages for all ranks of a host.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "common/input_file.h"
#include "common/mapped_pages.h"

namespace layerpipe::model {

// Pins memory for a device, and lets go of it.
struct PageRegistrar {
  // Whether it did; memory that it did not pin is as before.
  std::function<bool(void* data, std::uint64_t bytes)> pin;
  std::function<void(void* data)> unpin;
};

// The driver's (cudaHostRegisterReadOnly), where the device and the driver know it; one that pins nothing
// elsewhere.
PageRegistrar registrar_for(at::Device device);

// Parts of files ("windows"), registered when something of them is first wanted, and until this object goes.
// Whoever streams reads the same bytes again and again, in a ring: so the first windows up to a limit stay,
// and none makes room for another. Used by several threads at once.
//
// The device reads the file as it is when the copy runs. Who changes it meanwhile changes what arrives, so
// the file is to be looked at afterwards (check_unchanged() of safetensors.h).
class RegisteredPages {
 public:
  static constexpr std::uint64_t kWindowBytes = std::uint64_t{256} << 20;

  // At most `most_bytes` are registered: they cannot leave the page cache. `window_bytes` is a multiple of
  // the page size.
  RegisteredPages(at::Device device, PageRegistrar registrar, std::uint64_t most_bytes,
                  std::uint64_t window_bytes = kWindowBytes);
  RegisteredPages(const RegisteredPages&) = delete;
  RegisteredPages& operator=(const RegisteredPages&) = delete;
  // Waits for the device's copies.
  ~RegisteredPages();

  // Enqueues on the device's current stream of this thread: bytes of `file` from `begin` on, as many as `to`
  // has, into it. `to` is contiguous and on the device. False, and what `to` holds is anything, where some of
  // them cannot be registered.
  bool copy(const common::InputFile& file, std::uint64_t begin, const at::Tensor& to);

  std::uint64_t registered_bytes() const;

 private:
  struct Window {
    common::MappedPages pages;
  };
  using Key = std::pair<common::InputFile::Identity, std::uint64_t>;  // a file, and the number of a window
  // Null when it cannot be registered.
  const Window* window(const common::InputFile& file, std::uint64_t index);

  at::Device device_;
  PageRegistrar registrar_;
  std::uint64_t most_bytes_;
  std::uint64_t window_bytes_;
  mutable std::mutex mutex_;  // guards all below
  std::map<Key, Window> windows_;
  std::uint64_t registered_ = 0;
  bool is_refused_ = false;  // by the driver: what follows would be as well
};

}  // namespace layerpipe::model
