// Between a device and the host memory that a transport reads and writes.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>

#include "comm/boundary.h"

namespace layerpipe::comm {

// One per end of a channel, called by the thread that the channel is called by, unless it says otherwise.
class Staging {
 public:
  virtual ~Staging() = default;
  // Calls `then`, now or later and on any thread, with the boundary in host memory, or with what the device
  // threw. On a GPU, copies what the current stream has been given up to now.
  using Then = std::function<void(Boundary, std::exception_ptr)>;
  virtual void to_host(Boundary boundary, Then then) = 0;
  // Host memory to receive into. Called by a thread of the transport.
  virtual Boundary allocate_host(std::span<const std::byte> description, std::uint64_t number) = 0;
  // The boundary on the device; the current stream waits for the copy.
  virtual Boundary to_device(Boundary boundary) = 0;
};

std::unique_ptr<Staging> make_staging(at::Device device);

}  // namespace layerpipe::comm
