// The two ends of a channel: a one-way, in-order pipe for boundaries between two ranks.
#pragma once

#include <cstdint>

#include "comm/boundary.h"

namespace layerpipe::comm {

// What went over an end so far.
struct ChannelMetrics {
  std::int64_t messages = 0;
  std::uint64_t bytes = 0;
  double wait_seconds = 0;  // how long the caller stood still
};

// Called by one thread. Every wait has a deadline, and ends with PeerFailedError when the peer, or what the
// peer waits for, is silent or stands still for longer than the communicator's timeout, or when any rank has
// told that it failed.
class SendChannel {
 public:
  // What has not been flushed may be lost.
  virtual ~SendChannel() = default;
  // Waits until boundaries can travel, where that takes a while: once both ranks have opened their ends.
  // Throws PeerFailedError; over NCCL also what failed on this rank's own device, such as too little memory.
  virtual void wait_until_open() {}
  // Hands a boundary over and comes back while it travels; waits only while `depth` earlier ones do. The
  // tensors must not be written to afterwards. On a GPU the transfer begins behind what the current stream
  // has been given.
  virtual void send(Boundary boundary) = 0;
  // Waits until everything sent has left this rank.
  virtual void flush() = 0;
  virtual ChannelMetrics metrics() const = 0;
};

class ReceiveChannel {
 public:
  virtual ~ReceiveChannel() = default;
  // As of a SendChannel.
  virtual void wait_until_open() {}
  // The next boundary in the order of sending; its tensors lie on this end's device and belong to the caller.
  // Up to `depth` boundaries are received ahead, while the caller computes. The data is there when this comes
  // back, on a GPU too.
  virtual Boundary receive() = 0;
  virtual ChannelMetrics metrics() const = 0;
};

}  // namespace layerpipe::comm
