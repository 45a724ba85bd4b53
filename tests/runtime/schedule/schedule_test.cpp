// Completeness, order and bounds of the lists, for every small combination of stages and requests.
#include "runtime/schedule/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>
#include <utility>

namespace layerpipe::runtime {
namespace {

using Lists = std::vector<std::vector<Instruction>>;
using Key = std::tuple<std::int64_t, std::int32_t, std::int32_t>;

Key key(const Instruction& x) {
  return {x.request, x.step, x.branch};
}

std::vector<Key> of(const std::vector<Instruction>& list, Operation operation) {
  std::vector<Key> keys;
  for (const Instruction& x : list) {
    if (x.operation == operation) keys.push_back(key(x));
  }
  return keys;
}

// Requests of unequal length, with and without guidance.
std::vector<DenoiseWork> many_works() {
  std::vector<DenoiseWork> works;
  std::mt19937 random(1);
  for (std::int64_t stages : {1, 2, 3, 4, 7}) {
    for (std::int64_t in_flight : {1, 2, 3, 5}) {
      for (std::size_t requests : {1, 2, 5, 9}) {
        DenoiseWork work{.stages = stages,
                         .in_flight = in_flight,
                         .most_in_pass = static_cast<std::int64_t>(1 + random() % 4)};
        for (std::size_t i = 0; i < requests; ++i) {
          work.requests.push_back({.steps = static_cast<std::int32_t>(1 + random() % 6),
                                   .branches = static_cast<std::int32_t>(1 + random() % 2)});
        }
        works.push_back(work);
      }
    }
  }
  return works;
}

TEST(Schedule, EveryStageRunsEveryMicrobatchOnceInOneOrder) {
  for (const DenoiseWork& work : many_works()) {
    const Lists lists = schedule_denoising(work);
    ASSERT_EQ(lists.size(), static_cast<std::size_t>(work.stages));
    const std::vector<Key> order = of(lists[0], Operation::kForward);
    std::set<Key> expected;
    for (std::int64_t r = 0; r < static_cast<std::int64_t>(work.requests.size()); ++r) {
      const RequestWork& request = work.requests[static_cast<std::size_t>(r)];
      for (std::int32_t step = 0; step < request.steps; ++step) {
        for (std::int32_t branch = 0; branch < request.branches; ++branch) expected.insert({r, step, branch});
      }
    }
    EXPECT_EQ(order.size(), expected.size());
    EXPECT_EQ(std::set<Key>(order.begin(), order.end()), expected);
    for (const auto& list : lists) EXPECT_EQ(of(list, Operation::kForward), order);
  }
}

TEST(Schedule, WhatOneStageSendsTheNextReceivesInThatOrder) {
  for (const DenoiseWork& work : many_works()) {
    const Lists lists = schedule_denoising(work);
    EXPECT_TRUE(of(lists.front(), Operation::kReceive).empty());
    EXPECT_TRUE(of(lists.back(), Operation::kSend).empty());
    for (std::size_t stage = 0; stage + 1 < lists.size(); ++stage)
      EXPECT_EQ(of(lists[stage], Operation::kSend), of(lists[stage + 1], Operation::kReceive));
    EXPECT_EQ(of(lists.back(), Operation::kSendLatents), of(lists.front(), Operation::kReceiveLatents));
  }
}

// The forwards of each pass, as places in the list: [first, behind the last).
std::vector<std::pair<std::size_t, std::size_t>> passes_in(const std::vector<Instruction>& list) {
  std::vector<std::pair<std::size_t, std::size_t>> passes;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].operation != Operation::kForward) continue;
    if (list[i].pass == Pass::kOwn) {
      passes.emplace_back(i, i + 1);
    } else {
      EXPECT_FALSE(passes.empty());
      EXPECT_EQ(passes.back().second, i);  // they stand together
      passes.back().second = i + 1;
    }
  }
  return passes;
}

TEST(Schedule, APassIsReceivedRunAndSentInARow) {
  for (const DenoiseWork& work : many_works()) {
    const Lists lists = schedule_denoising(work);
    for (std::size_t stage = 0; stage < lists.size(); ++stage) {
      const auto& list = lists[stage];
      for (const auto& [first, end] : passes_in(list)) {
        const std::size_t count = end - first;
        ASSERT_LE(count, static_cast<std::size_t>(work.most_in_pass));
        for (std::size_t i = first; i < end; ++i) {
          const auto same = [&](Operation operation) {
            return Instruction{operation, list[i].request, list[i].step, list[i].branch};
          };
          if (stage > 0) {
            ASSERT_GE(i, count);
            EXPECT_EQ(list[i - count], same(Operation::kReceive));
          }
          if (stage + 1 < lists.size()) {
            ASSERT_LT(i + count, list.size());
            EXPECT_EQ(list[i + count], same(Operation::kSend));
          }
        }
      }
    }
  }
}

TEST(Schedule, AllStagesHaveTheSamePasses) {
  for (const DenoiseWork& work : many_works()) {
    const Lists lists = schedule_denoising(work);
    const auto sizes = [](const std::vector<Instruction>& list) {
      std::vector<std::size_t> counts;
      for (const auto& [first, end] : passes_in(list)) counts.push_back(end - first);
      return counts;
    };
    for (const auto& list : lists) EXPECT_EQ(sizes(list), sizes(lists.front()));
  }
}

TEST(Schedule, APassTakesAllThatIsReady) {
  // Three pictures with guidance on one stage: a round of all six microbatches after the other.
  const auto lists = schedule_denoising(
      {.stages = 1, .in_flight = 3, .most_in_pass = 6, .requests = {3, {.steps = 4, .branches = 2}}});
  const auto passes = passes_in(lists.front());
  EXPECT_EQ(passes.size(), 4U);
  for (const auto& [first, end] : passes) EXPECT_EQ(end - first, 6U);
  // One picture: its branches, however much a pass might take; over two stages each for itself.
  for (const std::int64_t stages : {1, 2}) {
    const auto one = schedule_denoising(
        {.stages = stages, .in_flight = 1, .most_in_pass = 9, .requests = {{.steps = 4, .branches = 2}}});
    for (const auto& list : one) {
      for (const auto& [first, end] : passes_in(list))
        EXPECT_EQ(static_cast<std::int64_t>(end - first), 2 / stages);
    }
  }
  // Three pictures over two stages: none is cut apart.
  const auto three = schedule_denoising(
      {.stages = 2, .in_flight = 3, .most_in_pass = 3, .requests = {3, {.steps = 4, .branches = 2}}});
  for (const auto& [first, end] : passes_in(three.front())) EXPECT_EQ(end - first, 2U);
}

TEST(Schedule, TheLastStageJoinsWhenAllBranchesAreThereAndSendsAtOnce) {
  for (const DenoiseWork& work : many_works()) {
    const auto list = schedule_denoising(work).back();
    std::map<std::pair<std::int64_t, std::int32_t>, std::int32_t> branches;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Instruction& x = list[i];
      if (x.operation == Operation::kForward) ++branches[{x.request, x.step}];
      if (x.operation != Operation::kJoin) continue;
      EXPECT_EQ((branches[{x.request, x.step}]), work.requests[static_cast<std::size_t>(x.request)].branches);
      ASSERT_LT(i + 1, list.size());
      EXPECT_EQ(list[i + 1], (Instruction{Operation::kSendLatents, x.request, x.step, 0}));
    }
  }
}

TEST(Schedule, TheFirstStageHasAStepsLatentsBeforeTheNextStepBegins) {
  for (const DenoiseWork& work : many_works()) {
    const auto list = schedule_denoising(work).front();
    std::vector<std::int32_t> received(work.requests.size(), 0);
    for (const Instruction& x : list) {
      std::int32_t& steps = received[static_cast<std::size_t>(x.request)];
      if (x.operation == Operation::kReceiveLatents) {
        EXPECT_EQ(steps, x.step);
        ++steps;
      }
      if (x.operation == Operation::kForward) {
        EXPECT_EQ(steps, x.step);
      }
    }
    for (std::size_t i = 0; i < received.size(); ++i) EXPECT_EQ(received[i], work.requests[i].steps);
  }
}

TEST(Schedule, NoMoreRequestsAreInFlightThanAllowed) {
  for (const DenoiseWork& work : many_works()) {
    std::set<std::int64_t> in_flight;
    std::map<std::int64_t, std::size_t> left;
    const auto lists = schedule_denoising(work);
    for (const Key& microbatch : of(lists.front(), Operation::kForward)) ++left[std::get<0>(microbatch)];
    for (const Key& microbatch : of(lists.front(), Operation::kForward)) {
      const std::int64_t request = std::get<0>(microbatch);
      in_flight.insert(request);
      EXPECT_LE(in_flight.size(), static_cast<std::size_t>(work.in_flight));
      if (--left[request] == 0) in_flight.erase(request);
    }
  }
}

TEST(Schedule, NoMoreLatentsAreUnderWayThanRequestsInFlight) {
  for (const DenoiseWork& work : many_works()) {
    const auto list = schedule_denoising(work).front();
    std::int64_t under_way = 0;
    for (const Instruction& x : list) {
      if (x.operation == Operation::kForward && x.branch == 0) ++under_way;
      if (x.operation == Operation::kReceiveLatents) --under_way;
      EXPECT_LE(under_way, work.in_flight);
    }
    EXPECT_EQ(under_way, 0);
  }
}

TEST(Schedule, OfOneStageIsThePlainLoop) {
  const auto lists =
      schedule_denoising({.stages = 1, .in_flight = 1, .requests = {{.steps = 2, .branches = 2}}});
  const std::vector<Instruction> expected = {
      {Operation::kForward, 0, 0, 0},        {Operation::kForward, 0, 0, 1},
      {Operation::kJoin, 0, 0, 0},           {Operation::kSendLatents, 0, 0, 0},
      {Operation::kReceiveLatents, 0, 0, 0}, {Operation::kForward, 0, 1, 0},
      {Operation::kForward, 0, 1, 1},        {Operation::kJoin, 0, 1, 0},
      {Operation::kSendLatents, 0, 1, 0},    {Operation::kReceiveLatents, 0, 1, 0}};
  EXPECT_EQ(lists, Lists{expected});
}

TEST(Schedule, RefusesWorkThatIsNone) {
  EXPECT_ANY_THROW(schedule_denoising({.stages = 0, .in_flight = 1, .requests = {{1, 1}}}));
  EXPECT_ANY_THROW(
      schedule_denoising({.stages = 1, .in_flight = 1, .most_in_pass = 0, .requests = {{1, 1}}}));
  EXPECT_ANY_THROW(schedule_denoising({.stages = 1, .in_flight = 0, .requests = {{1, 1}}}));
  EXPECT_ANY_THROW(schedule_denoising({.stages = 1, .in_flight = 1, .requests = {{0, 1}}}));
}

}  // namespace
}  // namespace layerpipe::runtime
