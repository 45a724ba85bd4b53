// Brings blocks to a device one after another, ahead of the one that works on them.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace layerpipe::model {

struct BlockStreamOptions {
  // The blocks, in the order in which they are worked on, again and again: behind the last comes the first.
  std::vector<std::int64_t> ring;
  // Blocks that are on the device at a time, at most: the one that is worked on among them. With 2 one comes
  // while another is worked on; with 1 the next comes while nobody holds one.
  std::int64_t slots = 2;
  c10::Device device = c10::kCPU;
  // Loads a block onto the device; called by the stream's own thread, which has a stream of the device of its
  // own. What it throws, acquire() throws.
  std::function<std::shared_ptr<const void>(std::int64_t index)> load;
  // Called about ten times a second by acquire() while it waits for a block, so that whoever waits for this
  // thread can look whether to go on; may be empty. What it throws passes.
  std::function<void()> while_waiting;
};

// Used by one thread, which acquires one block at a time. Has a thread of its own, which loads; the end of
// this object waits for the load at hand.
class BlockStream {
 public:
  explicit BlockStream(BlockStreamOptions options);
  BlockStream(const BlockStream&) = delete;
  BlockStream& operator=(const BlockStream&) = delete;
  ~BlockStream();

  // A block of the ring, when it is there: what the calling thread enqueues next on the device's current
  // stream finds it. In the order of the ring it is waited for as long as its bytes still take; for any other
  // block those before it come in vain. Throws what loading threw, from then on each time.
  const void* acquire(std::int64_t index);
  // What has been enqueued up to now on the current stream may still read the block; its memory is used again
  // when that is done. A failure of the device is what acquire() throws, once no block is there any more.
  void release(std::int64_t index) noexcept;

 private:
  struct Present {
    std::int64_t index = 0;
    std::shared_ptr<const void> block;
    std::optional<c10::Event> event;  // of its arrival, then of its last use; none on a CPU
  };

  void run() noexcept;
  void load_all();
  bool wait_for_place();
  void let_go();
  void let_go_at_the_end() noexcept;
  std::optional<c10::Event> event_of_current_stream() const;

  BlockStreamOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by the mutex:
  std::deque<Present> there_;     // loaded, in the order of the ring
  std::optional<Present> held_;   // the acquired one
  std::vector<Present> leaving_;  // released, but the device may still read them
  std::exception_ptr failure_;
  bool is_ending_ = false;

  std::thread thread_;
};

}  // namespace layerpipe::model
