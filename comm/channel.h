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

// A channel lives for as long as it is wanted, from run to run, and its number can be used again at once:
// between two ranks, the k-th sender that is opened with a number belongs to the k-th receiver, whatever the
// order in which the two ranks open and close them. Closing an end (destroying it) does not wait for the
// other one. The sender's closing is told to the receiver; a receiver that is closed before goes on, in the
// background, to take what is still sent, and drops it. What travels for one channel therefore never meets
// the next one. Opening and closing without an end takes level resources if each sender flushes or is
// answered before it closes.
//
// An end is called by one thread. Every wait has a deadline, and ends with PeerFailedError when the peer, or
// what the peer waits for, is silent or stands still for longer than the communicator's timeout, or when any
// rank has told that it failed; closing never waits for a peer, also after a failure.
class SendChannel {
 public:
  // Closes this end. What has not been flushed may be lost when the communicator, or the process, goes too.
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
  // Closes this end; what is received later is dropped.
  virtual ~ReceiveChannel() = default;
  // The same as SendChannel::wait_until_open().
  virtual void wait_until_open() {}
  // The next boundary in the order of sending; its tensors lie on this end's device and belong to the caller.
  // Up to `depth` boundaries are received ahead, while the caller computes. The data is there when this comes
  // back, on a GPU too. Throws what the allocation of its memory threw: the run has come to its end, since
  // the boundaries that follow do not arrive. When the sender has closed its end, and no failure explains it
  // within the timeout, throws PeerFailedError.
  virtual Boundary receive() = 0;
  virtual ChannelMetrics metrics() const = 0;
};

}  // namespace layerpipe::comm
