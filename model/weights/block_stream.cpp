#include "model/weights/block_stream.h"

#include <ATen/Parallel.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/ScopeExit.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/errors.h"
#include "model/kernels/host_pages.h"

namespace layerpipe::model {
namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(100);

c10::Stream current_stream(c10::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device);
}

}  // namespace

BlockStream::BlockStream(BlockStreamOptions options) : options_(std::move(options)) {
  common::ensure(!options_.ring.empty() && options_.slots >= 1,
                 "a stream of blocks needs a block and a place");
  thread_ = std::thread([this] { run(); });
}

BlockStream::~BlockStream() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// Notes what the calling thread has enqueued up to now.
std::optional<c10::Event> BlockStream::event_of_current_stream() const {
  if (options_.device.is_cpu()) return std::nullopt;
  std::optional<c10::Event> event(std::in_place, options_.device.type());
  event->record(current_stream(options_.device));
  return event;
}

// The thread's life.
void BlockStream::run() noexcept {
  try {
    at::init_num_threads();  // a thread begins with as many as the machine has
    const c10::DeviceGuard on_device(options_.device);
    std::optional<c10::StreamGuard> on_stream;
    if (!options_.device.is_cpu()) on_stream.emplace(kernels::copy_stream(options_.device));
    load_all();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
  changed_.notify_all();
}

void BlockStream::load_all() {
  const auto at_the_end = c10::make_scope_exit([&] { let_go_at_the_end(); });
  for (std::size_t place = 0; wait_for_place(); place = (place + 1) % options_.ring.size()) {
    let_go();
    const std::int64_t index = options_.ring[place];
    Present present{index, options_.load(index), event_of_current_stream()};
    {
      const std::lock_guard lock(mutex_);
      there_.push_back(std::move(present));
    }
    changed_.notify_all();
  }
}

// Whether there is one; false when the thread is to end.
bool BlockStream::wait_for_place() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    const std::size_t taken = there_.size() + (held_ ? 1 : 0);
    return is_ending_ || taken < static_cast<std::size_t>(options_.slots);
  });
  return !is_ending_;
}

// Frees what was released. The memory is this thread's stream's, which waits until the last use is over: what
// is loaded into the same memory comes behind it.
void BlockStream::let_go() {
  std::vector<Present> leaving;
  {
    const std::lock_guard lock(mutex_);
    leaving.swap(leaving_);
  }
  for (const Present& present : leaving) {
    if (present.event) present.event->block(current_stream(options_.device));
  }
}

void BlockStream::let_go_at_the_end() noexcept {
  try {
    let_go();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

const void* BlockStream::acquire(std::int64_t index) {
  common::ensure(std::ranges::find(options_.ring, index) != options_.ring.end(),
                 "a block was asked for whose weights do not stream");
  std::unique_lock lock(mutex_);
  common::ensure(!held_, "a second block was asked for while one was held");
  while (true) {
    // Those that were not asked for make room.
    while (!there_.empty() && there_.front().index != index) {
      there_.pop_front();
      changed_.notify_all();
    }
    if (!there_.empty()) break;
    if (failure_) std::rethrow_exception(failure_);  // what was there before is given out
    if (changed_.wait_for(lock, kBetweenLooks) == std::cv_status::no_timeout || !options_.while_waiting)
      continue;
    lock.unlock();
    options_.while_waiting();
    lock.lock();
  }
  Present& next = there_.front();
  if (next.event) next.event->block(current_stream(options_.device));
  held_ = std::move(next);
  there_.pop_front();
  return held_->block.get();
}

void BlockStream::release(std::int64_t index) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!held_ || held_->index != index) return;
    try {
      held_->event = event_of_current_stream();
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
    }
    leaving_.push_back(std::move(*held_));
    held_.reset();
  }
  changed_.notify_all();
}

}  // namespace layerpipe::model
