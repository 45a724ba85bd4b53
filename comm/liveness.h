// Who is to blame when a wait does not end: pure logic over what the ranks tell of themselves. No threads, no
// clock of its own, so that it is tested without waiting.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "comm/failure.h"

namespace layerpipe::comm {

using Clock = std::chrono::steady_clock;

// kIdle: the rank has no work and waits for some from outside of the set of ranks, for as long as it takes.
enum class RankState : std::int32_t { kComputing = 0, kWaiting = 1, kDone = 2, kIdle = 3 };

// What a rank tells of itself in every heartbeat.
struct Pulse {
  std::uint64_t counter = 0;  // goes up with everything that moves
  RankState state = RankState::kComputing;
  int waits_for = -1;  // the rank, when the state is kWaiting
  std::string doing;   // "stage 1: denoise, step 3, request 0"
};

struct Verdict {
  int rank = -1;
  Blame blame = Blame::kSilent;
  Clock::duration lasted{};  // how long it has been silent, or has not moved
};

// Each rank has one. It is not safe for several threads: its owner holds a lock (rank_monitor.h).
class Liveness {
 public:
  // All ranks count as heard of at `now`.
  Liveness(int rank, int size, Clock::duration timeout, Clock::time_point now);

  Clock::duration timeout() const { return timeout_; }
  // How often each rank is to send its pulse, and judge() is to be asked: min(1 s, timeout / 10).
  Clock::duration interval() const;

  // A pulse of another rank came.
  void heard(int from, Pulse pulse, Clock::time_point now);
  // Something moved at this rank.
  void moved(Clock::time_point now);
  // This rank's heartbeat has a turn; owed every interval(). After a longer gap this process was itself
  // stopped (a laptop that slept, SIGSTOP), and the silence of the others in that time is not held against
  // them.
  void beat(Clock::time_point now);

  // Whether waiting for `awaited`, since `since`, has to end, and who is the cause. Nobody as long as the
  // awaited rank, or the one at the end of the chain of ranks that wait for each other, lives and moves, or
  // lives and is idle.
  std::optional<Verdict> judge(int awaited, Clock::time_point since, Clock::time_point now) const;

  // A rank that is not done and has been silent for longer than the timeout, if there is one: for an idle
  // rank, which waits for none of them and is to notice all the same.
  std::optional<Verdict> judge_silence(Clock::time_point now) const;

  // What the rank told last.
  const Pulse& pulse(int rank) const { return peers_[static_cast<std::size_t>(rank)].pulse; }
  // Whether every other rank has said that it is done.
  bool all_others_done() const;

 private:
  struct Peer {
    Pulse pulse;
    Clock::time_point heard;
    Clock::time_point moved;  // when a changed counter was heard
  };
  const Peer& peer(int rank) const { return peers_[static_cast<std::size_t>(rank)]; }

  int rank_;
  Clock::duration timeout_;
  Clock::time_point last_beat_;
  std::vector<Peer> peers_;  // by rank; this rank's own entry holds only `moved`
};

}  // namespace layerpipe::comm
