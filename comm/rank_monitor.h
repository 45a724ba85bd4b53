// What one rank knows of all ranks, and the one place where threads wait for them.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "comm/failure.h"
#include "comm/liveness.h"

namespace layerpipe::comm {

// A monitor: one lock guards all that completions change and waits look at (there are few of either per
// second). Every function may be called by any thread. The heartbeat (heartbeat.h) asks it what to tell and
// brings it what others told.
class RankMonitor {
 public:
  RankMonitor(int rank, int size, std::chrono::milliseconds timeout);

  int rank() const { return rank_; }
  int size() const { return size_; }
  std::chrono::milliseconds timeout() const { return timeout_; }
  void set_hosts(std::vector<std::string> hosts);
  // By the thread that set them.
  const std::string& host(int rank) const { return hosts_.at(static_cast<std::size_t>(rank)); }

  void moved() noexcept;
  void now_doing(std::string doing);
  std::string doing() const;

  // Changes what waits look at, under the lock, and wakes them. `change` neither waits nor throws.
  void update(const std::function<void()>& change);
  // Comes back when `ready`, called under the lock, says so. Throws PeerFailedError when there is a failure,
  // or when judging `peer` finds one. `what`: "receiving a boundary".
  void wait(int peer, const std::string& what, const std::function<bool()>& ready);
  // Throws PeerFailedError when there is a failure.
  void check();

  // The first failure counts, later ones are dropped. The host is filled in.
  enum class Known { kHereOnly, kToAll };
  void fail(Failure failure, Known known = Known::kHereOnly) noexcept;
  // A transfer with `peer` failed; adds the peer's name.
  void connection_failed(int peer, const std::exception_ptr& error) noexcept;
  // The process of another rank has ended, and `how`: "was killed by signal 9", as its keeper says.
  void rank_died(int rank, const std::string& how) noexcept;
  // This rank's device failed, on a thread that nobody waits for.
  void device_failed(const std::exception_ptr& error) noexcept;
  std::optional<Failure> failure() const;
  // Each handler is called once with the failure, on the heartbeat's thread or, when there is one already,
  // here.
  void on_failure(std::function<void(const Failure&)> handler);
  // Waits, for a moment at most, until the heartbeat has told the failure to the others and to the handler,
  // since the caller is likely to end the process.
  void wait_until_told() noexcept;

  // Between them this rank is idle; they may be nested.
  void begin_idle();
  void end_idle() noexcept;

  // This rank's work is done. wait_for_all_done() comes back when that is so for all ranks, or one failed.
  void set_done();
  void wait_for_all_done() noexcept;

  // The heartbeat calls these.
  void heard(int from, Pulse pulse);
  // What to tell now. Where this rank is idle, looks for one that is silent, too.
  Pulse beat();
  Clock::duration interval() const { return liveness_.interval(); }
  bool known_to_all() const;  // whether the others know the failure already
  // Calls the handlers, if there is a failure that they have not seen.
  void call_handlers() noexcept;
  void set_told();
  // Waits for an interval, less when there is something to tell at once. False when it is time to end.
  bool rest();
  void end_beating();

 private:
  // `observer`: what this rank was at, "waited for it, receiving a boundary".
  Failure describe(const Verdict& verdict, const std::string& observer) const;
  void wait_locked(std::unique_lock<std::mutex>& lock, int peer, const std::string& what,
                   const std::function<bool()>& ready);

  const int rank_;
  const int size_;
  const std::chrono::milliseconds timeout_;
  std::vector<std::string> hosts_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Liveness liveness_;
  std::uint64_t counter_ = 0;
  std::string doing_ = "starting";
  std::list<int> awaited_;  // the ranks that threads here wait for, the latest last
  int idle_ = 0;            // how many begin_idle() are open
  bool done_ = false;
  std::optional<Failure> failure_;
  Known known_ = Known::kHereOnly;
  bool told_ = false;  // the heartbeat is through with the failure
  std::vector<std::function<void(const Failure&)>> handlers_;
  bool urgent_ = false;  // the heartbeat is to take a turn now
  bool beating_ = true;
};

}  // namespace layerpipe::comm
