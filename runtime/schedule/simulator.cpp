#include "runtime/schedule/simulator.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "common/errors.h"

namespace layerpipe::runtime {
namespace {

// The messages of one edge, in order. Times are known in the order in which both ends come to them.
class Edge {
 public:
  explicit Edge(std::int64_t depth) : depth_(static_cast<std::size_t>(depth)) {}

  // Hands the next message over at `now`; gives when the sender goes on, or nothing when that depends on a
  // message that the receiver has not taken yet.
  std::optional<double> send(double now, double transfer_seconds) {
    const std::size_t index = handed_.size();
    double goes_on = now;
    if (index >= depth_) {
      const std::optional<double> earlier = arrival(index - depth_);
      if (!earlier) return std::nullopt;
      goes_on = std::max(now, *earlier);
    }
    handed_.push_back(goes_on);
    transfers_.push_back(transfer_seconds);
    return goes_on;
  }

  // Takes the next message at `now`; gives when the receiver has it, or nothing when it is not under way.
  std::optional<double> receive(double now) {
    const std::optional<double> arrived = arrival(taken_.size());
    if (!arrived) return std::nullopt;
    taken_.push_back(std::max(now, *arrived));
    return taken_.back();
  }

 private:
  // When message `index` has arrived: behind the one before it, once it is handed over and there is room.
  std::optional<double> arrival(std::size_t index) {
    while (arrived_.size() <= index) {
      const std::size_t next = arrived_.size();
      if (next >= handed_.size()) return std::nullopt;
      double start = handed_[next];
      if (next > 0) start = std::max(start, arrived_[next - 1]);
      if (next >= depth_) {
        if (next - depth_ >= taken_.size()) return std::nullopt;
        start = std::max(start, taken_[next - depth_]);
      }
      arrived_.push_back(start + transfers_[next]);
    }
    return arrived_[index];
  }

  std::size_t depth_;
  std::vector<double> handed_;
  std::vector<double> transfers_;  // seconds of each message that was handed over
  std::vector<double> arrived_;
  std::vector<double> taken_;
};

// One stage's time, spent in working and in waiting.
class Clock {
 public:
  double now() const { return now_; }
  double busy() const { return busy_; }
  double waited() const { return waited_; }

  // Both give whether the stage goes on: it waits until a moment that may not be known yet.
  bool work(double duration) {
    busy_ += duration;
    now_ += duration;
    return true;
  }
  bool wait(std::optional<double> until) {
    if (!until) return false;
    waited_ += *until - now_;
    now_ = *until;
    return true;
  }

 private:
  double now_ = 0;
  double busy_ = 0;
  double waited_ = 0;
};

// Runs every list to its end. `run` does a stage's next instruction with its clock; false when it cannot yet.
template <typename List, typename Run>
Simulation run_lists(std::span<const List> lists, const Run& run) {
  std::vector<std::size_t> next(lists.size());
  std::vector<Clock> clocks(lists.size());
  bool moved = true;
  while (moved) {
    moved = false;
    for (std::size_t stage = 0; stage < lists.size(); ++stage) {
      while (next[stage] < lists[stage].size() && run(stage, lists[stage][next[stage]], clocks[stage])) {
        ++next[stage];
        moved = true;
      }
    }
  }
  Simulation result;
  for (std::size_t stage = 0; stage < lists.size(); ++stage) {
    common::ensure(next[stage] == lists[stage].size(), "the schedule stands still");
    result.seconds = std::max(result.seconds, clocks[stage].now());
    result.busy_seconds.push_back(clocks[stage].busy());
    result.wait_seconds.push_back(clocks[stage].waited());
  }
  return result;
}

}  // namespace

Simulation simulate(std::span<const std::vector<Instruction>> lists, std::span<const StageSeconds> seconds,
                    std::int64_t depth) {
  common::ensure(!lists.empty() && lists.size() == seconds.size() && depth >= 1,
                 "a simulation needs the times of every stage");
  std::vector<Edge> boundaries(lists.size() - 1, Edge(depth));
  // The latents' edge has room for every request in flight, so it never holds anybody up.
  const auto turns = static_cast<std::int64_t>(lists.back().size());
  Edge latents(std::max<std::int64_t>(turns, 1));
  std::vector<double> coming(
      lists.size());  // what a pass's weights still take, behind its forwards up to now
  return run_lists(lists, [&](std::size_t stage, const Instruction& instruction, Clock& clock) {
    // The pass has ended.
    if (instruction.operation != Operation::kForward || instruction.pass == Pass::kOwn)
      clock.work(std::exchange(coming[stage], 0));
    switch (instruction.operation) {
      case Operation::kReceive:
        return clock.wait(boundaries[stage - 1].receive(clock.now()));
      case Operation::kForward:
        if (instruction.pass == Pass::kOwn) coming[stage] = seconds[stage].stream;
        coming[stage] = std::max(coming[stage] - seconds[stage].forward, 0.0);
        return clock.work(seconds[stage].forward);
      case Operation::kSend:
        return clock.wait(boundaries[stage].send(clock.now(), seconds[stage].send));
      case Operation::kJoin:
        return clock.work(seconds[stage].join);
      case Operation::kSendLatents:
        return clock.wait(latents.send(clock.now(), seconds[stage].send_latents));
      case Operation::kReceiveLatents:
        return clock.wait(latents.receive(clock.now()));
    }
    return false;
  });
}

Simulation simulate(std::span<const ExchangeList> lists, const ExchangeSeconds& seconds, std::int64_t depth) {
  common::ensure(!lists.empty() && depth >= 1,
                 "a simulation needs a stage, and channels that hold something");
  std::map<std::pair<std::int64_t, std::int64_t>, Edge> edges;
  const auto edge = [&](std::int64_t from, std::int64_t to) -> Edge& {
    const std::int64_t room = from == to ? std::numeric_limits<std::int64_t>::max() : depth;
    return edges.try_emplace({from, to}, room).first->second;
  };
  return run_lists(lists, [&](std::size_t index, const ExchangeInstruction& instruction, Clock& clock) {
    const auto stage = static_cast<std::int64_t>(index);
    switch (instruction.operation) {
      case ExchangeOperation::kBegin:
        return true;
      case ExchangeOperation::kCompute:
      case ExchangeOperation::kFinish:
        return clock.work(seconds(stage, instruction));
      case ExchangeOperation::kDeal:
      case ExchangeOperation::kSend: {
        const double way = instruction.peer == stage ? 0 : seconds(stage, instruction);
        return clock.wait(edge(stage, instruction.peer).send(clock.now(), way));
      }
      case ExchangeOperation::kReceive:
      case ExchangeOperation::kCollect:
        return clock.wait(edge(instruction.peer, stage).receive(clock.now()));
    }
    return false;
  });
}

}  // namespace layerpipe::runtime
