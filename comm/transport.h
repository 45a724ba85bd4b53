// The low seam of this folder: byte messages between the ranks of a set, asynchronous and in order. Channels,
// the control plane and the heartbeats are built on it once; local/ and mpi/ implement it.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <span>

namespace layerpipe::comm {

// A tag says which stream of messages between two ranks a message belongs to. Streams do not wait for one
// another.
using Tag = int;

// A message is at most this long. It is also the grain in which movement is seen: whoever moves more cuts it
// into pieces (pieces.h), each of which shows that the rank lives; 32 MiB pass within a timeout of 120 s over
// any network that is worth using.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{32} << 20;

// How a message ended: the bytes that came, or why it failed (never both).
struct Delivery {
  std::size_t bytes = 0;
  std::exception_ptr error;
};

// Called once, on a thread of the transport, which stands still meanwhile: note what happened, post what
// comes next, and come back; it does not throw. What it holds (the memory that the message lies in) lives
// until it was called or the transport was closed.
using Completion = std::function<void(const Delivery&)>;

// One per rank. Functions may be called by any thread, also from a completion, and never wait.
//
// Between two ranks, messages of one tag arrive in the order of posting; each meets one posted receive. A
// message from a rank to itself is as good as any other. The transport knows no deadlines: what its peer does
// not take, or does not send, stays posted.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Completes when the receiver has taken the message, not earlier: this is what bounds what is under way.
  virtual void post_send(int to, Tag tag, std::span<const std::byte> bytes, Completion completion) = 0;
  // The message may be shorter than `bytes`; a longer one is an error (PeerFailedError).
  virtual void post_receive(int from, Tag tag, std::span<std::byte> bytes, Completion completion) = 0;

  // Gives up what is still posted, after a grace of about a second for messages that are under way, and lets
  // go of the completions; none is called once this has come back. What is posted later is dropped. By the
  // owner, once, before the transport goes and not from a completion.
  virtual void close() noexcept = 0;
};

}  // namespace layerpipe::comm
