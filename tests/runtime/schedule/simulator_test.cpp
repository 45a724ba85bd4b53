// What the simulator says of cases whose answer is known.
#include "runtime/schedule/simulator.h"

#include <gtest/gtest.h>

#include <random>

namespace layerpipe::runtime {
namespace {

std::vector<StageSeconds> equal_stages(std::int64_t stages, double forward) {
  return std::vector<StageSeconds>(static_cast<std::size_t>(stages), {.forward = forward});
}

DenoiseWork pictures(std::int64_t stages, std::int64_t in_flight, std::size_t requests, std::int32_t steps,
                     std::int32_t branches = 2) {
  return {.stages = stages,
          .in_flight = in_flight,
          .requests = {requests, {.steps = steps, .branches = branches}}};
}

double seconds(const DenoiseWork& work, const std::vector<StageSeconds>& times, std::int64_t depth = 1) {
  return simulate(schedule_denoising(work), times, depth).seconds;
}

TEST(Simulator, OneStageTakesTheSumOfItsWork) {
  EXPECT_DOUBLE_EQ(seconds(pictures(1, 1, 3, 5), {{.forward = 2, .join = 1}}), 3 * 5 * (2 * 2 + 1));
}

TEST(Simulator, OnePictureTakesStagesPlusOneTimesAStage) {
  // Two branches go round S stages: S + 1 times in each step, where one after the other takes 2S.
  for (std::int64_t stages : {2, 3, 4, 8}) {
    const double took = seconds(pictures(stages, 1, 1, 20), equal_stages(stages, 1.0));
    EXPECT_DOUBLE_EQ(took, static_cast<double>(20 * (stages + 1)));
  }
}

TEST(Simulator, EnoughRequestsKeepAllStagesBusy) {
  for (std::int64_t stages : {2, 3, 4, 8}) {
    const std::int64_t in_flight = (stages + 2) / 2;  // 2R ≥ S + 1
    const std::size_t requests = static_cast<std::size_t>(in_flight) * 4;
    const double work = static_cast<double>(requests) * 20 * 2;
    EXPECT_DOUBLE_EQ(seconds(pictures(stages, in_flight, requests, 20), equal_stages(stages, 1.0)),
                     work + static_cast<double>(stages) - 1);
    if (in_flight == 1) continue;
    // With one fewer, the way round the ring sets the pace.
    const double rounds = work / static_cast<double>(2 * (in_flight - 1));
    EXPECT_NEAR(seconds(pictures(stages, in_flight - 1, requests, 20), equal_stages(stages, 1.0)),
                rounds * static_cast<double>(stages + 1), 0.05 * work);
  }
}

TEST(Simulator, WithoutGuidanceAsManyRequestsAsStagesAreNeeded) {
  EXPECT_DOUBLE_EQ(seconds(pictures(4, 4, 8, 10, 1), equal_stages(4, 1.0)), 8 * 10 + 3);
  EXPECT_GT(seconds(pictures(4, 3, 9, 10, 1), equal_stages(4, 1.0)), 1.3 * 9 * 10);
}

TEST(Simulator, TheSlowestStageSetsThePace) {
  std::vector<StageSeconds> times = equal_stages(3, 1.0);
  times[1].forward = 2.0;
  const auto simulation = simulate(schedule_denoising(pictures(3, 3, 6, 20)), times, 1);
  EXPECT_DOUBLE_EQ(simulation.busy_seconds[1], 6 * 20 * 2 * 2.0);
  EXPECT_NEAR(simulation.seconds, 6 * 20 * 2 * 2.0 + 2.0, 1.0);
  EXPECT_DOUBLE_EQ(simulation.busy_seconds[0], 6 * 20 * 2 * 1.0);
}

TEST(Simulator, TransfersHideBehindWork) {
  std::vector<StageSeconds> times = equal_stages(4, 1.0);
  for (auto& stage : times) stage.send = 0.1;
  const double free = seconds(pictures(4, 3, 6, 20), equal_stages(4, 1.0));
  EXPECT_LT(seconds(pictures(4, 3, 6, 20), times), 1.01 * free);
  for (auto& stage : times) stage.send = 3.0;  // an edge slower than a stage sets the pace
  EXPECT_NEAR(seconds(pictures(4, 9, 18, 20), times), 18 * 20 * 2 * 3.0, 0.05 * 18 * 20 * 2 * 3.0);
}

TEST(Simulator, APassTakesAsLongAsItsForwardsOrItsWeights) {
  DenoiseWork work = pictures(1, 1, 1, 10);
  const auto streamed = [](double stream) {
    return std::vector<StageSeconds>{{.forward = 1, .stream = stream}};
  };
  EXPECT_DOUBLE_EQ(seconds(work, streamed(1.5)), 10 * 2 * 1.5);  // for each branch once
  work.most_in_pass = 2;
  EXPECT_DOUBLE_EQ(seconds(work, streamed(1.5)), 10 * 2);  // once for both
  EXPECT_DOUBLE_EQ(seconds(work, streamed(3)), 10 * 3);
  // All pictures share it.
  work = pictures(1, 4, 4, 10);
  work.most_in_pass = 8;
  EXPECT_DOUBLE_EQ(seconds(work, streamed(8)), 10 * 8);
  EXPECT_DOUBLE_EQ(seconds(work, streamed(12)), 10 * 12);
}

TEST(Simulator, StagesThatStreamTakeTurnsWithWholePasses) {
  // Two stages and two pictures: each stage has one picture's branches while the other has the other's.
  DenoiseWork work = pictures(2, 2, 4, 20);
  work.most_in_pass = 2;
  const std::vector<StageSeconds> times(2, {.forward = 1, .stream = 2});
  EXPECT_DOUBLE_EQ(seconds(work, times), 4 * 20 * 2 + 2);
  work.most_in_pass = 4;  // would leave the other stage without work
  EXPECT_DOUBLE_EQ(seconds(work, times), 4 * 20 * 2 + 2);
}

// Whatever number of pictures: passes cost no time beside what streams.
TEST(Simulator, PassesCutNoPictureApart) {
  for (const std::int64_t stages : {1, 2, 3}) {
    for (std::int64_t in_flight = 1; in_flight <= 6; ++in_flight) {
      for (std::size_t requests = 1; requests <= 9; ++requests) {
        DenoiseWork work = pictures(stages, in_flight, requests, 6);
        const double alone = seconds(work, equal_stages(stages, 1));
        work.most_in_pass = std::max<std::int64_t>(2 * in_flight / stages, 1);
        // A pass is as long as its forwards, so at its end others wait for all of it: once at the beginning.
        const double most = alone + static_cast<double>(stages * work.most_in_pass);
        SCOPED_TRACE(std::to_string(stages) + " stages, " + std::to_string(in_flight) + " in flight, " +
                     std::to_string(requests) + " requests");
        EXPECT_LE(seconds(work, equal_stages(stages, 1)), std::max(1.1 * alone, most));
      }
    }
  }
}

TEST(Simulator, WaitsAndWorkMakeUpTheTimeOfAStage) {
  std::vector<StageSeconds> times = equal_stages(3, 1.0);
  times[2] = {.forward = 1.5, .join = 0.2, .send_latents = 0.1};
  const auto simulation = simulate(schedule_denoising(pictures(3, 2, 4, 6)), times, 1);
  for (std::size_t stage = 0; stage < 3; ++stage) {
    EXPECT_LE(simulation.busy_seconds[stage] + simulation.wait_seconds[stage], simulation.seconds + 1e-9);
    EXPECT_GT(simulation.busy_seconds[stage], 0);
  }
  // The first stage takes the last latents: it is there until the end.
  EXPECT_NEAR(simulation.busy_seconds[0] + simulation.wait_seconds[0], simulation.seconds, 1e-9);
}

TEST(Simulator, NothingStandsStillWhateverTheWork) {
  std::mt19937 random(2);
  for (int i = 0; i < 500; ++i) {
    DenoiseWork work{.stages = static_cast<std::int64_t>(1 + random() % 8),
                     .in_flight = static_cast<std::int64_t>(1 + random() % 6),
                     .most_in_pass = static_cast<std::int64_t>(1 + random() % 5)};
    std::vector<StageSeconds> times;
    double least = 0;
    for (std::size_t r = 0; r < 1 + random() % 7; ++r) {
      work.requests.push_back({.steps = static_cast<std::int32_t>(1 + random() % 5),
                               .branches = static_cast<std::int32_t>(1 + random() % 2)});
    }
    for (std::int64_t stage = 0; stage < work.stages; ++stage) {
      times.push_back({.forward = 1e-3 * static_cast<double>(random() % 100),
                       .stream = 1e-3 * static_cast<double>(random() % 100),
                       .send = 1e-3 * static_cast<double>(random() % 100)});
    }
    const auto simulation =
        simulate(schedule_denoising(work), times, 1 + static_cast<std::int64_t>(random() % 2));
    for (const double busy : simulation.busy_seconds) least = std::max(least, busy);
    EXPECT_GE(simulation.seconds, least);
  }
}

TEST(Simulator, SaysWhenListsStandStill) {
  auto lists = schedule_denoising(pictures(2, 1, 1, 2));
  lists[0].erase(lists[0].begin() + 1);  // a boundary that is never sent
  EXPECT_ANY_THROW(simulate(lists, equal_stages(2, 1.0), 1));
}

// The same for encoding and decoding.

constexpr double kWay = 0.25;  // of what is dealt or sent

// A second for each computation, two for what finishes an item.
double second(std::int64_t, const ExchangeInstruction& instruction) {
  switch (instruction.operation) {
    case ExchangeOperation::kCompute:
      return 1;
    case ExchangeOperation::kFinish:
      return 2;
    default:
      return 0;
  }
}

double second_and_way(std::int64_t stage, const ExchangeInstruction& instruction) {
  const bool goes =
      instruction.operation == ExchangeOperation::kSend || instruction.operation == ExchangeOperation::kDeal;
  return goes ? kWay : second(stage, instruction);
}

std::vector<DealtItem> one_piece_each(std::int64_t stages, std::int64_t items) {
  std::vector<DealtItem> dealt;
  for (std::int64_t number = 0; number < items; ++number) {
    dealt.push_back({.number = number});
    for (std::int64_t stage = 0; stage < stages; ++stage) dealt.back().pieces.push_back({stage, stage + 1});
  }
  return dealt;
}

TEST(ExchangeSimulator, PromptsFillTheChain) {
  for (std::int64_t stages : {1, 2, 3, 8}) {
    PromptWork work{.stages = stages, .chain = {}, .prompts = 20};
    for (std::int64_t stage = 0; stage < stages; ++stage) work.chain.push_back(stage);
    const auto simulation = simulate(schedule_prompts(work), second, 1);
    EXPECT_DOUBLE_EQ(simulation.seconds, static_cast<double>(20 + stages - 1));
    for (const double busy : simulation.busy_seconds) EXPECT_DOUBLE_EQ(busy, 20);
  }
}

TEST(ExchangeSimulator, TheFirstStageSetsThePaceOfPictures) {
  // It computes strips for one second and the middle for two; the others are ahead of it.
  const auto simulation = simulate(schedule_pictures(3, one_piece_each(3, 10)), second_and_way, 4);
  EXPECT_DOUBLE_EQ(simulation.busy_seconds[0], 10 * 3);
  EXPECT_DOUBLE_EQ(simulation.busy_seconds[2], 10);
  EXPECT_DOUBLE_EQ(simulation.seconds, 10 * 3 + kWay);  // the first picture's rows are waited for
}

TEST(ExchangeSimulator, AFullChannelHoldsAStageUp) {
  const auto lists = schedule_pictures(2, one_piece_each(2, 10));
  // With room for all of them the second stage is done after ten seconds and has not waited.
  EXPECT_DOUBLE_EQ(simulate(lists, second, 10).wait_seconds[1], 0);
  EXPECT_GT(simulate(lists, second, 1).wait_seconds[1], 10);
}

TEST(ExchangeSimulator, RequestsAreDecodedOneAfterTheOther) {
  // Latents go out, a second passes, rows come back, and the layers are finished.
  const auto simulation = simulate(schedule_decoding(3, one_piece_each(3, 10)), second_and_way, 1);
  EXPECT_NEAR(simulation.seconds, 10 * (kWay + 1 + kWay + 2), 1e-9);
  EXPECT_NEAR(simulation.wait_seconds[0], 10 * 2 * kWay, 1e-9);
}

TEST(ExchangeSimulator, WhatAStageSendsToItselfIsThereAtOnce) {
  EXPECT_DOUBLE_EQ(simulate(schedule_decoding(1, one_piece_each(1, 10)), second_and_way, 1).seconds, 10 * 3);
}

TEST(ExchangeSimulator, SaysWhenListsStandStill) {
  auto lists = schedule_decoding(2, one_piece_each(2, 2));
  std::erase_if(lists[1], [](const auto& x) { return x.operation == ExchangeOperation::kSend; });
  EXPECT_ANY_THROW(simulate(lists, second, 1));
}

}  // namespace
}  // namespace layerpipe::runtime
