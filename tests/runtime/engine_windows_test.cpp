// An engine that lives for many windows: the same bits, and what it holds does not grow.
#include <gtest/gtest.h>
#include <map>

#include "runtime/engine.h"
#include "runtime/plan/windows.h"
#include "tests/support/holdings.h"
#include "tests/support/local_ranks.h"
#include "tests/support/parity_case.h"
#include "tests/support/run_engine.h"
#include "tests/support/split_plan.h"

namespace layerpipe::runtime {
namespace {

using layerpipe::testing::even_split;
using layerpipe::testing::Holdings;
using layerpipe::testing::holdings;
using layerpipe::testing::load_parity_case;
using layerpipe::testing::on_local_ranks;
using layerpipe::testing::ParityCase;
using layerpipe::testing::split_plan;

// The case whose model has most blocks: one for each of three ranks.
ParityCase deepest_case() {
  ParityCase deepest;
  std::int64_t most = 0;
  for (const std::string& name : layerpipe::testing::parity_case_names()) {
    ParityCase parity = load_parity_case(name);
    const std::int64_t blocks = model::load_model_config(parity.model()).transformer.num_layers;
    if (blocks <= most) continue;
    most = blocks;
    deepest = std::move(parity);
  }
  return deepest;
}

// The smallest work that passes through everything: one layer, one step, one stage after another.
Request tiny_request(const ParityCase& parity) {
  Request request = parity.request;
  request.picture = request.picture.narrow(0, 0, 32).narrow(1, 0, 32).contiguous();
  request.layers = 1;
  request.steps = 1;
  request.init_latents = at::Tensor();
  return request;
}

TEST(EngineWindows, TwoThousandOnThreeRanksHoldNoMoreThanTheFirstFew) {
  constexpr int kWindows = 2000;
  constexpr int kSettled = 200;
  const ParityCase parity = deepest_case();
  const Request request = tiny_request(parity);
  // Nothing that the window before has encoded serves the next one.
  const std::string prompts[] = {request.prompt, request.prompt + " again"};
  Holdings before;
  Holdings after;
  at::Tensor first[2];
  on_local_ranks(3, [&](comm::Communicator& communicator) {
    Engine engine({.model_folder = parity.model(), .dtype = at::kFloat}, communicator);
    partition::Plan plan = split_plan(even_split(engine.model_config(), 3));
    plan.residency = {partition::Residency::kResident, partition::Residency::kResident,
                      partition::Residency::kResident};
    const std::atomic<bool> stop{false};
    const bool is_first = communicator.rank() == 0;
    // The ranks share a process, so they all stand still while one looks.
    const auto look = [&](Holdings& held) {
      communicator.barrier("looking");
      if (is_first) held = holdings();
      communicator.barrier("having looked");
    };
    for (int window = 0; window < kWindows; ++window) {
      if (window == kSettled) look(before);
      Request mine = request;
      mine.picture = request.picture.clone();
      mine.prompt = prompts[window % 2];
      engine.run({&mine, 1}, plan,
                 {.progress = {},
                  .result =
                      [&](std::size_t, const Result& result) {
                        at::Tensor& expected = first[window % 2];
                        if (!expected.defined()) expected = result.decoded;
                        ASSERT_TRUE(at::equal(result.decoded, expected)) << "window " << window;
                      },
                  .failed = {}},
                 stop);
    }
    look(after);
  });
  ASSERT_TRUE(first[0].defined() && first[1].defined());
  EXPECT_FALSE(at::equal(first[0], first[1]));
  EXPECT_EQ(after.files, before.files);
  EXPECT_EQ(after.threads, before.threads);
  EXPECT_LT(after.resident_kib, before.resident_kib + 16 * 1024)
      << "KiB in " << kWindows - kSettled << " windows";
}

// What is resident is loaded by the first window alone; what is phased by each.
TEST(EngineWindows, ResidentNetworksAreLoadedOnce) {
  const ParityCase parity = deepest_case();
  const Request request = tiny_request(parity);
  Engine engine({.model_folder = parity.model(), .dtype = at::kFloat});
  partition::Plan plan = whole_plan(engine.model_config());
  plan.residency.transformer = partition::Residency::kResident;
  const std::atomic<bool> stop{false};
  std::map<partition::Network, int> loaded;
  for (int window = 0; window < 3; ++window) {
    engine.run({&request, 1}, plan,
               {.progress =
                    [&](const Progress& progress) {
                      if (progress.work == Progress::Work::kLoad && progress.done == 0)
                        ++loaded[progress.network];
                    },
                .result = [](std::size_t, const Result&) {},
                .failed = {}},
               stop);
  }
  EXPECT_EQ(loaded[partition::Network::kTransformer], 1);
  EXPECT_EQ(loaded[partition::Network::kVaeDecoder], 3);
}

// The second window has the first one's prompts and picture, the third one another picture.
TEST(EngineWindows, WhatTheWindowBeforeHasEncodedIsNotEncodedAgain) {
  const ParityCase parity = deepest_case();
  Request request = tiny_request(parity);
  std::vector<Result> results;
  std::vector<int> begun;  // by window: networks of the encode phase that are loaded
  on_local_ranks(2, [&](comm::Communicator& communicator) {
    Engine engine({.model_folder = parity.model(), .dtype = at::kFloat}, communicator);
    const std::atomic<bool> stop{false};
    Request mine = request;
    for (int window = 0; window < 3; ++window) {
      if (window == 2) mine.picture = mine.picture.clone();
      int loads = 0;
      engine.run({&mine, 1}, split_plan(even_split(engine.model_config(), 2)),
                 {.progress =
                      [&](const Progress& progress) {
                        loads += progress.phase == partition::Phase::kEncode &&
                                 progress.work == Progress::Work::kLoad && progress.done == 0;
                      },
                  .result = [&](std::size_t, const Result& result) { results.push_back(result); },
                  .failed = {}},
                 stop);
      if (communicator.rank() == 0) begun.push_back(loads);
    }
  });
  EXPECT_EQ(begun, (std::vector<int>{2, 0, 1}));
  ASSERT_EQ(results.size(), 3U);
  for (const Result& result : results) {
    EXPECT_TRUE(at::equal(result.decoded, results[0].decoded));
    EXPECT_TRUE(at::equal(result.prompt_embeds, results[0].prompt_embeds));
    EXPECT_TRUE(at::equal(result.image_latents, results[0].image_latents));
  }
}

TEST(EngineWindows, AnotherLayoutOfThePlanGivesTheSameBits) {
  const ParityCase parity = deepest_case();
  const Request request = tiny_request(parity);
  std::vector<at::Tensor> decoded;
  on_local_ranks(2, [&](comm::Communicator& communicator) {
    Engine engine({.model_folder = parity.model(), .dtype = at::kFloat}, communicator);
    const std::atomic<bool> stop{false};
    for (const std::int64_t moved : {0, 1, 0}) {
      layerpipe::testing::Split split = even_split(engine.model_config(), 2);
      split.blocks[0] -= moved;
      split.blocks[1] += moved;
      engine.run({&request, 1}, split_plan(split),
                 {.progress = {},
                  .result = [&](std::size_t, const Result& result) { decoded.push_back(result.decoded); },
                  .failed = {}},
                 stop);
    }
  });
  ASSERT_EQ(decoded.size(), 3U);
  EXPECT_TRUE(at::equal(decoded[0], decoded[1]));
  EXPECT_TRUE(at::equal(decoded[0], decoded[2]));
}

TEST(EngineWindows, WorksOnAfterAWindowThatWasInterrupted) {
  const ParityCase parity = deepest_case();
  const std::vector<Request> requests{tiny_request(parity), tiny_request(parity)};
  Engine engine({.model_folder = parity.model(), .dtype = at::kFloat});
  std::atomic<bool> stop{false};
  const auto stop_in_the_middle = [&](const Progress& progress) {
    if (progress.phase == partition::Phase::kDenoise && progress.done == 1) stop = true;
  };
  EXPECT_THROW(layerpipe::testing::run_engine(engine, requests, stop_in_the_middle, stop),
               common::InterruptedError);
  stop = false;
  EXPECT_EQ(layerpipe::testing::run_engine(engine, requests, {}, stop).size(), requests.size());
}

TEST(WindowsOf, AreAsSmallAsTheyCanBeWithoutWaste) {
  constexpr auto kResident = partition::Residency::kResident;
  partition::Plan plan;
  plan.residency = {kResident, kResident, kResident};
  plan.in_flight = 1;
  plan.stages.resize(1);
  EXPECT_EQ(windows_of(plan, 3), (std::vector<common::Range>{{0, 1}, {1, 2}, {2, 3}}));
  plan.stages.resize(2);
  plan.in_flight = 2;
  EXPECT_EQ(windows_of(plan, 10), (std::vector<common::Range>{{0, 5}, {5, 10}}));
  plan.residency.text_encoder = partition::Residency::kPhased;
  plan.stages.resize(1);
  plan.in_flight = 1;
  EXPECT_EQ(windows_of(plan, 9), (std::vector<common::Range>{{0, 4}, {4, 9}}));
  EXPECT_TRUE(windows_of(plan, 0).empty());
}

}  // namespace
}  // namespace layerpipe::runtime
