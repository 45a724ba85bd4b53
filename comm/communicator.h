// The control plane of a set of ranks: who there is, small messages to all, channels, and who failed.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/channel.h"
#include "comm/failure.h"

namespace layerpipe::comm {

// kHost: through host memory, over the communicator's own transport. kNccl: from GPU to GPU; both ends of an
// edge say so; an edge to oneself goes through host memory all the same.
enum class ChannelKind { kHost, kNccl };

struct ChannelOptions {
  int channel = 0;  // several channels between two ranks are told apart by this number
  ChannelKind kind = ChannelKind::kHost;
  at::Device device = at::kCPU;  // where tensors lie at this end
  int depth = 1;                 // boundaries under way at a time, at this end; at least 1
};

// One per rank. Functions on all ranks are called by all of them in the same order, by one thread each; the
// pulse, check(), failure() and abort() may be called by any thread. Channels go before their communicator.
class Communicator {
 public:
  // Waits, as every wait with a deadline, until all ranks are here, unless there is a failure: a rank whose
  // work is done still listens to the others. A rank that leaves because it failed calls abort() first.
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual const std::string& host(int rank) const = 0;
  virtual std::chrono::milliseconds timeout() const = 0;

  // What each rank gave, in the order of ranks. `what` is said when a rank does not come: "comparing
  // configs".
  virtual std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine,
                                                         const std::string& what) = 0;
  // What `root` gave; what the others give is not looked at.
  virtual std::vector<std::byte> broadcast(std::vector<std::byte> bytes, int root,
                                           const std::string& what) = 0;
  virtual void barrier(const std::string& what) = 0;

  // A number is used once per direction and pair of ranks. Receiving begins at once, in the background.
  virtual std::unique_ptr<SendChannel> open_send(int to, const ChannelOptions& options) = 0;
  virtual std::unique_ptr<ReceiveChannel> open_receive(int from, const ChannelOptions& options) = 0;

  // Says what this rank is at, from now on, and that it moves. Cheap: called for every block. A rank that is
  // not waiting inside of this library and does not say anything for longer than the timeout counts as
  // stalled.
  virtual void report_progress() noexcept = 0;
  virtual void now_doing(std::string doing) = 0;

  // Tells all ranks why this one stops (rank, host and, where it is empty, `doing` are filled in; the blame
  // is kStopped or kTold); their waits, and all later calls of this one, throw PeerFailedError with it. The
  // first failure that is told counts. Comes back when the others have been told, after half a second at
  // most: the caller may end the process.
  virtual void abort(Failure failure) noexcept = 0;
  // The failure that counts, once there is one. Its speaker() is the rank that prints it.
  virtual std::optional<Failure> failure() const = 0;
  // Throws PeerFailedError when there is a failure: for a rank that computes for long between its waits.
  virtual void check() = 0;
  // Calls the handler with the failure, once, as soon as there is one: on a thread of the communicator, so
  // also while this rank computes; waits and calls throw after it has come back. For the speaker's message,
  // which is to be printed before mpirun kills the ranks.
  virtual void on_failure(std::function<void(const Failure&)> handler) = 0;
};

}  // namespace layerpipe::comm
