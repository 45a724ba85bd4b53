#include "comm/liveness.h"

#include <algorithm>

namespace layerpipe::comm {

Liveness::Liveness(int rank, int size, Clock::duration timeout, Clock::time_point now)
    : rank_(rank),
      timeout_(timeout),
      last_beat_(now),
      peers_(static_cast<std::size_t>(size), Peer{.pulse = {}, .heard = now, .moved = now}) {}

Clock::duration Liveness::interval() const {
  return std::min<Clock::duration>(std::chrono::seconds(1), timeout_ / 10);
}

void Liveness::heard(int from, Pulse pulse, Clock::time_point now) {
  Peer& peer = peers_[static_cast<std::size_t>(from)];
  if (pulse.counter != peer.pulse.counter) peer.moved = now;
  peer.heard = now;
  peer.pulse = std::move(pulse);
}

void Liveness::moved(Clock::time_point now) {
  peers_[static_cast<std::size_t>(rank_)].moved = now;
}

void Liveness::beat(Clock::time_point now) {
  const Clock::duration gap = now - last_beat_;
  last_beat_ = now;
  // Half the timeout: far above what a busy machine delays a thread by, and low enough that the other half is
  // left for hearing of the others again.
  if (gap <= timeout_ / 2) return;
  for (Peer& peer : peers_) {
    peer.heard = std::min(peer.heard + gap, now);
    peer.moved = std::min(peer.moved + gap, now);
  }
}

std::optional<Verdict> Liveness::judge(int awaited, Clock::time_point since, Clock::time_point now) const {
  // This process was itself stopped, and its heartbeat has not had its turn since: see beat().
  if (now - last_beat_ > timeout_ / 2) return std::nullopt;
  std::vector<bool> seen(peers_.size(), false);
  Clock::time_point last_move = std::max(since, peer(rank_).moved);
  Clock::time_point last_known = now;  // up to when all ranks of the chain have told how they are
  int at = awaited;
  // Along the ranks that wait for one another, until one does not wait or the way closes to a ring.
  while (at != rank_ && !seen[static_cast<std::size_t>(at)]) {
    seen[static_cast<std::size_t>(at)] = true;
    const Peer& rank = peer(at);
    if (rank.pulse.state == RankState::kDone) {
      // What it sent before may still be under way, so it has the timeout from now on.
      const Clock::duration gone = now - std::max(since, rank.moved);
      if (gone <= timeout_) return std::nullopt;
      return Verdict{at, Blame::kLeft, gone};
    }
    if (now - rank.heard > timeout_) return Verdict{at, Blame::kSilent, now - rank.heard};
    if (rank.pulse.state == RankState::kIdle) return std::nullopt;
    last_move = std::max(last_move, rank.moved);
    last_known = std::min(last_known, rank.heard);
    if (rank.pulse.state == RankState::kComputing) {
      // What counts is the rank's own account, not the lack of one: a rank that was killed while it computed
      // is silent.
      if (rank.heard - rank.moved <= timeout_) return std::nullopt;
      return Verdict{at, Blame::kStandsStill, now - rank.moved};
    }
    at = rank.pulse.waits_for;
    if (at < 0 || at >= static_cast<int>(peers_.size())) break;  // cannot be; blames the awaited rank below
  }
  if (last_known - last_move <= timeout_) return std::nullopt;
  return Verdict{awaited, Blame::kNothingMoves, now - last_move};
}

std::optional<Verdict> Liveness::judge_silence(Clock::time_point now) const {
  if (now - last_beat_ > timeout_ / 2) return std::nullopt;  // as in judge()
  for (int at = 0; at < static_cast<int>(peers_.size()); ++at) {
    const Peer& rank = peer(at);
    if (at == rank_ || rank.pulse.state == RankState::kDone || now - rank.heard <= timeout_) continue;
    return Verdict{at, Blame::kSilent, now - rank.heard};
  }
  return std::nullopt;
}

bool Liveness::all_others_done() const {
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (static_cast<int>(i) != rank_ && peers_[i].pulse.state != RankState::kDone) return false;
  }
  return true;
}

}  // namespace layerpipe::comm
