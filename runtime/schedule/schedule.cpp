#include "runtime/schedule/schedule.h"

#include <algorithm>

#include "common/errors.h"

namespace layerpipe::runtime {
namespace {

// A request's step, the unit that the round-robin deals.
struct Turn {
  std::int64_t request;
  std::int32_t step;
  std::size_t round;
  std::size_t behind;  // so many of the first turns have to be over before this one begins
};

std::int32_t branches_of(const DenoiseWork& work, const Turn& turn) {
  return work.requests[static_cast<std::size_t>(turn.request)].branches;
}

// The turns of all requests in the order in which they enter the pipeline: each of `in_flight` places takes a
// turn in every round, and a place whose request is done takes the next one that waits.
std::vector<Turn> order_of_turns(const DenoiseWork& work) {
  struct Place {
    std::int64_t request;
    std::int32_t step = 0;
    std::size_t behind = 0;
  };
  const auto count = static_cast<std::int64_t>(work.requests.size());
  std::int64_t next = 0;
  std::vector<Place> places;
  while (next < std::min(count, work.in_flight)) places.push_back({next++});
  std::vector<Turn> turns;
  for (std::size_t round = 0; !places.empty(); ++round) {
    for (Place& place : places) {
      turns.push_back({place.request, place.step, round, place.behind});
      place.behind = turns.size();
      if (++place.step < work.requests[static_cast<std::size_t>(place.request)].steps) continue;
      place.request = next < count ? next++ : -1;
      place.step = 0;
    }
    std::erase_if(places, [](const Place& place) { return place.request < 0; });
  }
  return turns;
}

struct Microbatch {
  std::size_t turn;  // its index
  std::int32_t branch;
};

// How many microbatches a pass of each round takes, by round: a stage's part of them, whole requests where it
// is more than one has.
std::vector<std::int64_t> pass_sizes(const DenoiseWork& work, const std::vector<Turn>& turns) {
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> branches;  // of the round's request with most of them
  for (const Turn& turn : turns) {
    sizes.resize(turn.round + 1);
    branches.resize(turn.round + 1);
    sizes[turn.round] += branches_of(work, turn);
    branches[turn.round] = std::max<std::int64_t>(branches[turn.round], branches_of(work, turn));
  }
  for (std::size_t round = 0; round < sizes.size(); ++round) {
    std::int64_t& size = sizes[round];
    size = std::clamp<std::int64_t>(size / work.stages, 1, work.most_in_pass);
    if (size > branches[round]) size -= size % branches[round];
  }
  return sizes;
}

// The microbatches of all turns, in order, as they share passes. None needs the latents of another one of its
// round, so none of its pass.
std::vector<std::vector<Microbatch>> passes_of(const DenoiseWork& work, const std::vector<Turn>& turns) {
  const std::vector<std::int64_t> sizes = pass_sizes(work, turns);
  std::vector<std::vector<Microbatch>> passes;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const std::size_t round = turns[i].round;
    for (std::int32_t branch = 0; branch < branches_of(work, turns[i]); ++branch) {
      const bool is_full = passes.empty() || turns[passes.back().front().turn].round != round ||
                           static_cast<std::int64_t>(passes.back().size()) == sizes[round];
      if (is_full) passes.emplace_back();
      passes.back().push_back({i, branch});
    }
  }
  return passes;
}

void check(const DenoiseWork& work) {
  common::ensure(work.stages >= 1 && work.in_flight >= 1, "a schedule needs a stage and a request in flight");
  common::ensure(work.most_in_pass >= 1, "a pass needs a microbatch");
  for (const RequestWork& request : work.requests)
    common::ensure(request.steps >= 1 && request.branches >= 1, "a request needs a step and a branch");
}

}  // namespace

const char* to_string(Operation operation) {
  switch (operation) {
    case Operation::kReceive:
      return "receive";
    case Operation::kForward:
      return "forward";
    case Operation::kSend:
      return "send";
    case Operation::kJoin:
      return "join";
    case Operation::kSendLatents:
      return "send latents";
    case Operation::kReceiveLatents:
      return "receive latents";
  }
  return "";
}

std::vector<std::vector<Instruction>> schedule_denoising(const DenoiseWork& work) {
  check(work);
  const std::int64_t last = work.stages - 1;
  const std::vector<Turn> turns = order_of_turns(work);
  const std::vector<std::vector<Microbatch>> passes = passes_of(work, turns);
  std::vector<std::vector<Instruction>> lists(static_cast<std::size_t>(work.stages));
  for (std::int64_t stage = 0; stage <= last; ++stage) {
    auto& list = lists[static_cast<std::size_t>(stage)];
    const auto add = [&](Operation operation, const Microbatch& microbatch, Pass pass = Pass::kOwn) {
      const Turn& turn = turns[microbatch.turn];
      list.push_back({operation, turn.request, turn.step, microbatch.branch, pass});
    };
    // Latents come back in the order in which turns entered; the first stage takes them as late as it can.
    std::size_t taken = 0;
    const auto take_latents = [&](std::size_t count) {
      for (; taken < count; ++taken) add(Operation::kReceiveLatents, {taken, 0});
    };
    for (const std::vector<Microbatch>& pass : passes) {
      for (const Microbatch& microbatch : pass) {
        if (stage == 0) take_latents(turns[microbatch.turn].behind);
        if (stage > 0) add(Operation::kReceive, microbatch);
      }
      for (std::size_t i = 0; i < pass.size(); ++i)
        add(Operation::kForward, pass[i], i == 0 ? Pass::kOwn : Pass::kShared);
      for (const Microbatch& microbatch : pass) {
        if (stage < last) add(Operation::kSend, microbatch);
        const bool is_whole = microbatch.branch + 1 == branches_of(work, turns[microbatch.turn]);
        if (stage < last || !is_whole) continue;
        add(Operation::kJoin, {microbatch.turn, 0});
        add(Operation::kSendLatents, {microbatch.turn, 0});
      }
    }
    if (stage == 0) take_latents(turns.size());
  }
  return lists;
}

}  // namespace layerpipe::runtime
