// Copies out of the page cache by the device itself: no copy by the CPU, no memory beside the cache, and one
// set of pages for all ranks of a host.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
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
// and none makes room for another. A file of which a window was refused is asked for no other one. Used by
// several threads at once.
//
// The device reads the file as it is when the copy runs. Who changes it meanwhile changes what arrives, so
// the file is to be looked at afterwards (check_unchanged() of safetensors.h).
class RegisteredPages {
 public:
  static constexpr std::uint64_t kWindowBytes = std::uint64_t{32} << 20;

  // At most `most_bytes` are registered: they cannot leave the page cache. `window_bytes` is a multiple of
  // the page size.
  RegisteredPages(at::Device device, PageRegistrar registrar, std::uint64_t most_bytes,
                  std::uint64_t window_bytes = kWindowBytes);
  RegisteredPages(const RegisteredPages&) = delete;
  RegisteredPages& operator=(const RegisteredPages&) = delete;
  // Waits for its copies, and for nothing else of the device.
  ~RegisteredPages();

  // Enqueues on the device's current stream of this thread: bytes of `file` from `begin` on, as many as `to`
  // has, into it. `to` is contiguous and on the device. False, and what `to` holds is anything, where some of
  // them cannot be registered.
  bool copy(const common::InputFile& file, std::uint64_t begin, const at::Tensor& to);

  std::uint64_t registered_bytes() const;

 private:
  using Key = std::pair<common::InputFile::Identity, std::uint64_t>;  // a file, and the number of a window
  // Null when it cannot be registered.
  const common::MappedPages* window(const common::InputFile& file, std::uint64_t index);
  void note_copies();

  at::Device device_;
  PageRegistrar registrar_;
  std::uint64_t most_bytes_;
  std::uint64_t window_bytes_;
  mutable std::mutex mutex_;  // guards all below
  std::map<Key, common::MappedPages> windows_;
  std::uint64_t registered_ = 0;
  std::set<common::InputFile::Identity> refused_;  // files
  // Behind the last copies of each of the device's streams.
  std::map<c10::StreamId, c10::Event> copied_;
};

}  // namespace layerpipe::model
