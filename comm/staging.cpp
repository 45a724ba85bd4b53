#include "comm/staging.h"

#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace layerpipe::comm {
namespace {

class HostStaging : public Staging {
 public:
  void to_host(Boundary boundary, Then then) override { then(std::move(boundary), nullptr); }
  Boundary allocate_host(std::span<const std::byte> description, std::uint64_t number) override {
    return allocate(description, number, at::TensorOptions(at::kCPU));
  }
  Boundary to_device(Boundary boundary) override { return boundary; }
};

// Through pinned memory on a stream of its own. A thread waits for each copy to the host, since the transport
// must not read before it is done and the caller must not wait.
class DeviceStaging : public Staging {
 public:
  explicit DeviceStaging(at::Device device)
      : device_(device), guard_(device.type()), stream_(guard_.getStreamFromGlobalPool(device, true)) {
    thread_ = std::thread([this] { run(); });
  }
  ~DeviceStaging() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void to_host(Boundary boundary, Then then) override {
    stream_follows_current();
    Boundary staged{.header = boundary.header, .tensors = {}};
    Copy copy{.boundary = {}, .ready = c10::Event(device_.type()), .then = std::move(then)};
    {
      const c10::StreamGuard on(stream_);
      for (const auto& [name, tensor] : boundary.tensors) {
        at::Tensor host = at::empty(tensor.sizes(), tensor.options().device(at::kCPU).pinned_memory(true));
        host.copy_(tensor, /*non_blocking=*/true);
        // Its memory is not given out again before this stream is through with it.
        tensor.record_stream(stream_);
        staged.tensors.push_back({name, std::move(host)});
      }
      copy.ready.record(stream_);
    }
    copy.boundary = std::move(staged);
    {
      const std::lock_guard lock(mutex_);
      copies_.push_back(std::move(copy));
    }
    changed_.notify_all();
  }

  Boundary allocate_host(std::span<const std::byte> description, std::uint64_t number) override {
    return allocate(description, number, at::TensorOptions(at::kCPU).pinned_memory(true));
  }

  Boundary to_device(Boundary boundary) override {
    const c10::Stream current = guard_.getStream(device_);
    Boundary landed{.header = boundary.header, .tensors = {}};
    c10::Event ready(device_.type());
    {
      const c10::StreamGuard on(stream_);
      for (auto& [name, host] : boundary.tensors) {
        at::Tensor tensor = at::empty(host.sizes(), host.options().device(device_).pinned_memory(false));
        tensor.copy_(host, /*non_blocking=*/true);
        tensor.record_stream(current);
        landed.tensors.push_back({std::move(name), std::move(tensor)});
      }
      ready.record(stream_);
    }
    ready.block(current);
    return landed;
  }

 private:
  struct Copy {
    Boundary boundary;
    c10::Event ready;
    Then then;
  };

  void stream_follows_current() {
    c10::Event given(device_.type());
    given.record(guard_.getStream(device_));
    given.block(stream_);
  }

  void run() {
    // Events are destroyed on their device, and then the thread's is current again: GPU 0, if it had no
    // other.
    const c10::DeviceGuard on(device_);
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stop_ || !copies_.empty(); });
      if (copies_.empty()) return;
      Copy copy = std::move(copies_.front());
      copies_.pop_front();
      lock.unlock();
      std::exception_ptr error;
      try {
        copy.ready.synchronize();
      } catch (...) {
        error = std::current_exception();
      }
      copy.then(std::move(copy.boundary), error);
      lock.lock();
    }
  }

  const at::Device device_;
  const c10::impl::VirtualGuardImpl guard_;
  const c10::Stream stream_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Copy> copies_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Staging> make_staging(at::Device device) {
  if (device.is_cpu()) return std::make_unique<HostStaging>();
  return std::make_unique<DeviceStaging>(device);
}

}  // namespace layerpipe::comm
