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

// The ranks of a set, or of a part of it (subset()). One per rank. Functions on all ranks are called by all
// of them in the same order, by one thread each; report_progress(), now_doing(), check(), failure() and
// abort() may be called by any thread. Channels and subsets go before their communicator.
class Communicator {
 public:
  // Waits, as every wait with a deadline, until all ranks are here, unless there is a failure: a rank whose
  // work is done still listens to the others. A rank that leaves because it failed calls abort() first. A
  // subset's goes at once.
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

  // One end of a channel; channel.h says how the two ends come together. A number is open at most once at a
  // time per direction and pair of ranks: InternalError otherwise. It is free again as soon as the end here
  // is closed, on whatever thread. Numbers of subsets are their own. Receiving begins at once, in the
  // background.
  virtual std::unique_ptr<SendChannel> open_send(int to, const ChannelOptions& options) = 0;
  virtual std::unique_ptr<ReceiveChannel> open_receive(int from, const ChannelOptions& options) = 0;

  // A communicator of some of these ranks, which are numbered anew in the order given. Called by all ranks of
  // this one, in the same order, without waiting for each other: whoever is in `ranks` gets a communicator,
  // the others nullptr. All members name the same ranks; ranks that are in none of another's may name their
  // own, so one call parts the set into groups. Messages and channels of a subset meet neither this
  // communicator's nor another subset's, also where the same ranks are in both. Failures are those of the
  // whole set: every member of every subset is told, and Failure::rank is the number in the whole set. Throws
  // InternalError for ranks that there are not or that come twice, for a subset of a subset, and from the
  // 16th call on.
  virtual std::unique_ptr<Communicator> subset(std::span<const int> ranks) = 0;

  // Says what this rank is at, from now on, and that it makes progress. Cheap: called for every block. A rank
  // that is neither waiting inside of this library nor idle and does not say anything for longer than the
  // timeout counts as stalled.
  virtual void report_progress() noexcept = 0;
  virtual void now_doing(std::string doing) = 0;
  // IdleScope calls these.
  virtual void begin_idle() = 0;
  virtual void end_idle() noexcept = 0;

  // Tells all ranks why this one stops (rank, host and, where it is empty, `doing` are filled in; the blame
  // is kStopped, kAllStopped or kTold); their waits, and all later calls of this one, throw PeerFailedError
  // with it. The first failure that is told counts. Comes back when the others have been told, after half a
  // second at most: the caller may end the process.
  virtual void abort(Failure failure) noexcept = 0;
  // The failure that counts, once there is one. Its speaker() is the rank that prints it.
  virtual std::optional<Failure> failure() const = 0;
  // Throws PeerFailedError when there is a failure: for a rank that computes for long between its waits.
  virtual void check() = 0;
  // Calls the handler with the failure, once, as soon as there is one: on a thread of the communicator, so
  // also while this rank computes; waits and calls throw after it has come back. For the speaker's message,
  // which is to be printed before mpirun kills the ranks. Several handlers are called in their order.
  virtual void on_failure(std::function<void(const Failure&)> handler) = 0;
};

// While it lives, this rank has no work and waits for some from outside of the set: a terminal, a queue.
// However long that takes, neither this rank counts as stalled nor those that wait for it, as long as its
// heartbeat comes; and a rank that has fallen silent meanwhile is noticed, which check() tells this rank's
// loop. Ranks that wait for an instruction of an idle one simply wait for it, in broadcast() or receive().
class IdleScope {
 public:
  explicit IdleScope(Communicator& communicator) : communicator_(communicator) { communicator_.begin_idle(); }
  ~IdleScope() { communicator_.end_idle(); }
  IdleScope(const IdleScope&) = delete;
  IdleScope& operator=(const IdleScope&) = delete;

 private:
  Communicator& communicator_;
};

}  // namespace layerpipe::comm
