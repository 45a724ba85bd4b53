// What an engine accepts, what it tells while it works, and how it stops.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "common/errors.h"
#include "runtime/engine.h"
#include "runtime/plan/whole_plan.h"
#include "tests/support/parity_case.h"
#include "tests/support/run_engine.h"

namespace layerpipe::runtime {
namespace {

class EngineRequest : public ::testing::Test {
 protected:
  layerpipe::testing::ParityCase parity_ = layerpipe::testing::load_parity_case("plain");
  Engine engine_{{.model_folder = parity_.model(), .device = at::kCPU, .dtype = at::kFloat}};
  std::atomic<bool> stop_{false};
};

TEST_F(EngineRequest, TellsEveryUnitOfWorkOnce) {
  std::vector<std::string> told;
  const std::vector<Request> requests{parity_.request, parity_.request};
  layerpipe::testing::run_engine(
      engine_, requests,
      [&](const Progress& p) {
        if (p.work != Progress::Work::kCompute) return;
        told.push_back(std::string(to_string(p.phase)) + " " + std::to_string(p.done) + "/" +
                       std::to_string(p.total));
      },
      stop_);
  EXPECT_THAT(
      told, ::testing::ElementsAre("encode 0/4", "encode 1/4", "encode 2/4", "encode 3/4", "encode 4/4",
                                   "denoise 0/6", "denoise 1/6", "denoise 2/6", "denoise 3/6", "denoise 4/6",
                                   "denoise 5/6", "denoise 6/6", "decode 0/2", "decode 1/2", "decode 2/2"));
  EXPECT_GT(engine_.metrics()[0].phases.denoise.seconds, 0);
}

TEST_F(EngineRequest, TellsOfEveryNetworkThatItLoads) {
  std::vector<std::string> begun;
  std::map<partition::Network, std::int64_t> last;
  layerpipe::testing::run_engine(
      engine_, {&parity_.request, 1},
      [&](const Progress& p) {
        if (p.work != Progress::Work::kLoad) return;
        if (p.done == 0) begun.emplace_back(std::string(to_string(p.phase)) + ": " + to_string(p.network));
        EXPECT_GE(p.done, last[p.network]);
        EXPECT_EQ(p.total, static_cast<std::int64_t>(engine_.weight_bytes(p.network)));
        last[p.network] = p.done;
      },
      stop_);
  EXPECT_THAT(begun, ::testing::ElementsAre("encode: text encoder", "encode: VAE encoder",
                                            "denoise: transformer", "decode: VAE decoder"));
  // What was loaded is what was foretold.
  for (const partition::Network network : partition::kNetworks)
    EXPECT_EQ(last[network], static_cast<std::int64_t>(engine_.weight_bytes(network))) << to_string(network);
}

TEST_F(EngineRequest, StopsWhileLoading) {
  EXPECT_THROW(layerpipe::testing::run_engine(
                   engine_, {&parity_.request, 1},
                   [&](const Progress& p) {
                     if (p.work == Progress::Work::kLoad && p.network == partition::Network::kTransformer) {
                       EXPECT_LT(p.done, p.total / 2);
                       stop_ = true;
                     }
                   },
                   stop_),
               common::InterruptedError);
}

TEST_F(EngineRequest, MeasuresEveryPhase) {
  layerpipe::testing::run_engine(engine_, {&parity_.request, 1}, {}, stop_);
  for (const partition::Phase phase : partition::kPhases) {
    const PhaseMetrics& figures = engine_.metrics()[0].phases[phase];
    EXPECT_GT(figures.load_seconds, 0) << to_string(phase);
    EXPECT_GT(figures.seconds, figures.load_seconds) << to_string(phase);
    EXPECT_GT(figures.peak_bytes, 1U << 20) << to_string(phase);
  }
}

// A phase comes behind its parts, as it ends.
TEST_F(EngineRequest, TracesEveryPhaseAndItsParts) {
  layerpipe::testing::run_engine(engine_, {&parity_.request, 1}, {}, stop_);
  std::vector<std::string> names;
  double phase_end = 0;   // of the phase before
  double first_part = 0;  // its begin
  double part_end = 0;    // of the part before
  for (const TraceEvent& event : engine_.trace().events) {
    if (event.row != TraceEvent::Row::kPhase) continue;
    names.push_back(event.name);
    EXPECT_GT(event.end, event.begin) << event.name;
    if (event.name == "encode" || event.name == "denoise" || event.name == "decode") {
      EXPECT_GE(event.begin, phase_end) << event.name;
      EXPECT_LE(event.begin, first_part) << event.name;
      EXPECT_GE(event.end, part_end) << event.name;
      phase_end = event.end;
    } else {
      EXPECT_GE(event.begin, std::max(phase_end, part_end)) << event.name;
      if (part_end <= phase_end) first_part = event.begin;
      part_end = event.end;
    }
  }
  EXPECT_THAT(names, ::testing::ElementsAre("load weights", "text encoder", "text encoder", "load weights",
                                            "VAE strips", "VAE middle", "encode", "load weights",
                                            "make the modulation table", "connect", "denoise", "load weights",
                                            "VAE strips", "decode", "write"));
}

// What the listener does with a result, which may be writing for minutes, is neither in the figures of
// decoding nor in its part of the trace.
TEST_F(EngineRequest, CountsWhatBecomesOfResultsForNoPhase) {
  constexpr auto kWriting = std::chrono::milliseconds(300);
  const std::vector<Request> requests{parity_.request, parity_.request, parity_.request};
  std::vector<std::string> told;
  engine_.run(requests, whole_plan(engine_.model_config()),
              {.progress =
                   [&](const Progress& p) {
                     if (p.phase == partition::Phase::kDecode && p.work == Progress::Work::kCompute)
                       told.push_back("decoded " + std::to_string(p.done));
                   },
               .result =
                   [&](std::size_t request, const Result&) {
                     told.push_back("given out " + std::to_string(request));
                     std::this_thread::sleep_for(kWriting);
                   },
               .failed = {}},
              stop_);
  EXPECT_THAT(told, ::testing::ElementsAre("decoded 0", "decoded 1", "given out 0", "decoded 2",
                                           "given out 1", "decoded 3", "given out 2"));
  double writing = 0;
  double decoding = 0;
  double end = 0;
  for (const TraceEvent& event : engine_.trace().events) {
    if (event.name != "write" && event.name != "decode") continue;
    EXPECT_GE(event.begin, end) << "one behind the other";
    end = event.end;
    (event.name == "write" ? writing : decoding) += event.end - event.begin;
  }
  EXPECT_GE(writing, 3 * std::chrono::duration<double>(kWriting).count());
  EXPECT_NEAR(engine_.metrics()[0].phases.decode.seconds, decoding, 0.1);
}

// Ctrl-C while the last step of a result is told: it is decoded, so it is not lost.
TEST_F(EngineRequest, GivesOutWhatIsDecodedBeforeItStops) {
  const std::vector<Request> requests{parity_.request, parity_.request};
  std::vector<std::size_t> given;
  EXPECT_THROW(engine_.run(requests, whole_plan(engine_.model_config()),
                           {.progress =
                                [&](const Progress& p) {
                                  if (p.phase == partition::Phase::kDecode && p.done == 1) stop_ = true;
                                },
                            .result = [&](std::size_t request, const Result&) { given.push_back(request); },
                            .failed = {}},
                           stop_),
               common::InterruptedError);
  EXPECT_THAT(given, ::testing::ElementsAre(0));
}

TEST_F(EngineRequest, StopsBetweenSteps) {
  int steps = 0;
  EXPECT_THROW(
      layerpipe::testing::run_engine(
          engine_, {&parity_.request, 1},
          [&](const Progress& p) {
            if (p.phase == partition::Phase::kDenoise && p.work == Progress::Work::kCompute && p.done > 0)
              ++steps;
            if (steps == 1) stop_ = true;
          },
          stop_),
      common::InterruptedError);
  EXPECT_EQ(steps, 1);
}

TEST_F(EngineRequest, ForgetsWhatWasCancelledWithTheRun) {
  const std::vector<Request> requests{parity_.request, parity_.request};
  const auto cancel = [&](const Progress& p) {
    if (p.phase == partition::Phase::kDenoise) engine_.cancel(1);
  };
  EXPECT_THROW(layerpipe::testing::run_engine(engine_, requests, cancel, stop_), common::InterruptedError);
  EXPECT_EQ(layerpipe::testing::run_engine(engine_, requests, {}, stop_).size(), requests.size());
}

TEST_F(EngineRequest, RefusesInitialLatentsOfAnotherSize) {
  Request request = parity_.request;
  request.init_latents = at::zeros({5, 64});
  try {
    engine_.check(request);
    FAIL() << "accepted";
  } catch (const common::InputError& error) {
    EXPECT_STREQ(error.what(), "init_latents have 5 tokens of 64 channels; this picture needs 48 of 64");
  }
}

TEST_F(EngineRequest, RefusesLatentsThatAreNotFinite) {
  Request request = parity_.request;
  request.init_latents = at::full({48, 64}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_THROW(layerpipe::testing::run_engine(engine_, {&request, 1}, {}, stop_), common::InputError);
}

TEST_F(EngineRequest, ScaleOfOneOrLessMeansNoGuidance) {
  Request request = parity_.request;
  request.cfg_scale = 1.0;
  const auto with_scale_one = layerpipe::testing::run_engine(engine_, {&request, 1}, {}, stop_);
  request.cfg_scale = 4.0;
  request.negative_prompt.reset();
  const auto without_negative = layerpipe::testing::run_engine(engine_, {&request, 1}, {}, stop_);
  EXPECT_FALSE(with_scale_one[0].negative_prompt_embeds.defined());
  EXPECT_TRUE(layerpipe::testing::is_equal(with_scale_one[0].latents, without_negative[0].latents));
}

}  // namespace
}  // namespace layerpipe::runtime
