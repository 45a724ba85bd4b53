#include "runtime/schedule/simulator.h"

#include <algorithm>
#include <optional>

#include "common/errors.h"

namespace layerpipe::runtime {
namespace {

// The messages of one edge, in order. Times are known in the order in which both ends come to them.
class Edge {
 public:
  Edge(double transfer_seconds, std::int64_t depth)
      : transfer_(transfer_seconds), depth_(static_cast<std::size_t>(depth)) {}

  // Hands the next message over at `now`; gives when the sender goes on, or nothing when that depends on a
  // message that the receiver has not taken yet.
  std::optional<double> send(double now) {
    const std::size_t index = handed_.size();
    double goes_on = now;
    if (index >= depth_) {
      const std::optional<double> earlier = arrival(index - depth_);
      if (!earlier) return std::nullopt;
      goes_on = std::max(now, *earlier);
    }
    handed_.push_back(goes_on);
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
      arrived_.push_back(start + transfer_);
    }
    return arrived_[index];
  }

  double transfer_;
  std::size_t depth_;
  std::vector<double> handed_;
  std::vector<double> arrived_;
  std::vector<double> taken_;
};

struct StageState {
  std::size_t next = 0;  // instruction
  double now = 0;
};

}  // namespace

Simulation simulate(std::span<const std::vector<Instruction>> lists, std::span<const StageSeconds> seconds,
                    std::int64_t depth) {
  common::ensure(!lists.empty() && lists.size() == seconds.size() && depth >= 1,
                 "a simulation needs the times of every stage");
  const std::size_t stages = lists.size();
  Simulation result{.busy_seconds = std::vector<double>(stages), .wait_seconds = std::vector<double>(stages)};
  std::vector<Edge> boundaries;
  for (std::size_t stage = 0; stage + 1 < stages; ++stage)
    boundaries.emplace_back(seconds[stage].send, depth);
  // The latents' edge has room for every request in flight, so it never holds anybody up.
  const auto turns = static_cast<std::int64_t>(lists.back().size());
  Edge latents(seconds.back().send_latents, std::max<std::int64_t>(turns, 1));

  std::vector<StageState> states(stages);
  // Runs the next instruction of a stage; false when it cannot be run yet.
  const auto run_next = [&](std::size_t stage) {
    StageState& state = states[stage];
    const auto take = [&](std::optional<double> until) {
      if (!until) return false;
      result.wait_seconds[stage] += *until - state.now;
      state.now = *until;
      return true;
    };
    const auto work = [&](double duration) {
      result.busy_seconds[stage] += duration;
      state.now += duration;
      return true;
    };
    switch (lists[stage][state.next].operation) {
      case Operation::kReceive:
        return take(boundaries[stage - 1].receive(state.now));
      case Operation::kForward:
        return work(seconds[stage].forward);
      case Operation::kSend:
        return take(boundaries[stage].send(state.now));
      case Operation::kJoin:
        return work(seconds[stage].join);
      case Operation::kSendLatents:
        return take(latents.send(state.now));
      case Operation::kReceiveLatents:
        return take(latents.receive(state.now));
    }
    return false;
  };

  bool moved = true;
  while (moved) {
    moved = false;
    for (std::size_t stage = 0; stage < stages; ++stage) {
      while (states[stage].next < lists[stage].size() && run_next(stage)) {
        ++states[stage].next;
        moved = true;
      }
    }
  }
  for (std::size_t stage = 0; stage < stages; ++stage) {
    common::ensure(states[stage].next == lists[stage].size(), "the schedule stands still");
    result.seconds = std::max(result.seconds, states[stage].now);
  }
  return result;
}

}  // namespace layerpipe::runtime
