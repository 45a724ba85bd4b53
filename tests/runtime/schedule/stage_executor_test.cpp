// The executor over real channels, with stages that sleep in place of computing: pipelining is real, and
// takes as long as the simulator says.
#include "runtime/schedule/stage_executor.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <numeric>
#include <thread>

#include "common/errors.h"
#include "partition/partitioner.h"
#include "runtime/observe/metrics.h"
#include "runtime/schedule/simulator.h"
#include "tests/support/local_ranks.h"

namespace layerpipe::runtime {
namespace {

using std::chrono::duration;

comm::Boundary boundary_for(const Instruction& instruction) {
  return {.header = {.request = instruction.request, .branch = instruction.branch, .step = instruction.step},
          .tensors = {{"x", at::zeros({1})}}};
}

// Sleeps instead of computing, and counts in the tensor that it hands on how many stages it has seen.
class SleepingStage : public StageWork {
 public:
  explicit SleepingStage(double seconds) : seconds_(seconds) {}

  void forward(std::span<const Instruction> pass, std::span<comm::Boundary> microbatches) override {
    std::this_thread::sleep_for(duration<double>(seconds_ * static_cast<double>(pass.size())));
    for (std::size_t i = 0; i < pass.size(); ++i) {
      comm::Boundary boundary = boundary_for(pass[i]);
      if (!microbatches[i].tensors.empty()) boundary.tensors[0].tensor = microbatches[i].at("x").add(1);
      stages_seen_ = boundary.at("x").item<float>();
      microbatches[i] = std::move(boundary);
    }
  }
  comm::Boundary join(const Instruction& instruction) override {
    comm::Boundary latents = boundary_for(instruction);
    latents.tensors[0].tensor.fill_(stages_seen_);
    return latents;
  }
  void take_latents(const Instruction&, comm::Boundary latents) override {
    taken.push_back(latents.at("x").item<float>());
  }

  std::vector<float> taken;

 private:
  double seconds_;
  float stages_seen_ = 0;
};

// Stage i belongs to rank i.
partition::Topology one_group(int stages) {
  std::vector<int> ranks(static_cast<std::size_t>(stages));
  std::iota(ranks.begin(), ranks.end(), 0);
  return {{.stages = stages}, ranks};
}

struct Measured {
  double seconds = 0;
  std::vector<StageMetrics> figures;
};

// All stages together, from a common start to the end of the last.
Measured run(const DenoiseWork& work, const std::vector<double>& forward_seconds) {
  const auto lists = schedule_denoising(work);
  const partition::Topology topology = one_group(static_cast<int>(lists.size()));
  Measured measured{.seconds = 0, .figures = std::vector<StageMetrics>(lists.size())};
  std::mutex mutex;
  layerpipe::testing::on_local_ranks(static_cast<int>(lists.size()), [&](comm::Communicator& communicator) {
    const auto stage = static_cast<std::size_t>(communicator.rank());
    StageLinks links = open_links(communicator, topology, {.in_flight = work.in_flight});
    SleepingStage sleeping(forward_seconds[stage]);
    communicator.barrier("the start");
    const auto start = std::chrono::steady_clock::now();
    StageMetrics& figures = measured.figures[stage];
    execute(lists[stage], links, sleeping,
            {.before = {}, .after = [&](const Instruction& instruction, double begin, double end) {
               figures.add(instruction, begin, end);
             }});
    const double seconds = duration<double>(std::chrono::steady_clock::now() - start).count();
    const std::lock_guard lock(mutex);
    measured.seconds = std::max(measured.seconds, seconds);
    if (stage != 0) return;
    EXPECT_THAT(sleeping.taken, ::testing::Each(static_cast<float>(lists.size() - 1)));
  });
  return measured;
}

double simulated(const DenoiseWork& work, const std::vector<double>& forward_seconds) {
  std::vector<StageSeconds> times;
  for (const double seconds : forward_seconds) times.push_back({.forward = seconds});
  return simulate(schedule_denoising(work), times, 1).seconds;
}

DenoiseWork pictures(std::size_t stages, std::int64_t in_flight, std::size_t requests, std::int32_t steps) {
  return {.stages = static_cast<std::int64_t>(stages),
          .in_flight = in_flight,
          .requests = {requests, {.steps = steps, .branches = 2}}};
}

// Long beside the millisecond that a busy machine adds to a sleep or a message.
constexpr double kForward = 0.04;
constexpr std::int32_t kSteps = 20;

class PipelineOf : public ::testing::TestWithParam<std::size_t> {};

TEST_P(PipelineOf, StagesMakesNearlyAsManyTimesThePictures) {
  const std::size_t stages = GetParam();
  const std::size_t requests = 2 * stages;
  const std::int64_t in_flight =
      partition::places_for(partition::saturating_requests(static_cast<std::int64_t>(stages), 2,
                                                           static_cast<std::int64_t>(requests)),
                            static_cast<std::int64_t>(requests));
  const DenoiseWork work = pictures(stages, in_flight, requests, kSteps);
  // A stage of S takes the S-th part of what one device would take.
  const std::vector<double> times(stages, kForward);
  const Measured measured = run(work, times);
  const double one_device =
      static_cast<double>(requests) * kSteps * 2 * kForward * static_cast<double>(stages);
  RecordProperty("speed_up", std::to_string(one_device / measured.seconds));
  EXPECT_GE(one_device / measured.seconds, 0.95 * static_cast<double>(stages));
  EXPECT_NEAR(measured.seconds, simulated(work, times), 0.05 * measured.seconds);
  for (const StageMetrics& figures : measured.figures)
    EXPECT_GE(figures.busy_seconds, 0.95 * measured.seconds);
}

TEST_P(PipelineOf, StagesMakesOnePictureFaster) {
  const std::size_t stages = GetParam();
  const DenoiseWork work = pictures(stages, 1, 1, kSteps);
  const std::vector<double> times(stages, kForward);
  const Measured measured = run(work, times);
  const double one_after_the_other = kSteps * 2 * kForward * static_cast<double>(stages);
  const auto s = static_cast<double>(stages);
  RecordProperty("speed_up", std::to_string(one_after_the_other / measured.seconds));
  EXPECT_GE(one_after_the_other / measured.seconds, 0.95 * 2 * s / (s + 1));
  EXPECT_NEAR(measured.seconds, simulated(work, times), 0.05 * measured.seconds);
}

INSTANTIATE_TEST_SUITE_P(Stages, PipelineOf, ::testing::Values(2, 3, 4, 8),
                         [](const auto& info) { return std::to_string(info.param); });

TEST(StageExecutor, UnequalStagesTakeAsLongAsSimulated) {
  const DenoiseWork work = pictures(3, 2, 4, kSteps);
  const std::vector<double> times{kForward, 1.5 * kForward, 0.5 * kForward};
  const Measured measured = run(work, times);
  EXPECT_NEAR(measured.seconds, simulated(work, times), 0.05 * measured.seconds);
}

TEST(StageExecutor, OneStageNeedsNoChannel) {
  EXPECT_NEAR(run(pictures(1, 1, 2, 5), {0.004}).seconds, 2 * 5 * 2 * 0.004, 0.02);
}

TEST(StageExecutor, MicrobatchesShareAPass) {
  DenoiseWork work = pictures(3, 3, 6, kSteps);
  work.most_in_pass = 2;
  const std::vector<double> times(3, kForward / 2);
  const Measured measured = run(work, times);
  EXPECT_NEAR(measured.seconds, simulated(work, times), 0.05 * measured.seconds);
}

// Passes a boundary on under another number.
class ConfusedStage : public SleepingStage {
 public:
  ConfusedStage() : SleepingStage(0) {}
  void forward(std::span<const Instruction> pass, std::span<comm::Boundary> microbatches) override {
    SleepingStage::forward(pass, microbatches);
    if (pass.front().step == 1) microbatches.front().header.step = 7;
  }
};

TEST(StageExecutor, NoticesABoundaryThatIsNotDue) {
  const auto lists = schedule_denoising(pictures(2, 1, 1, 3));
  const partition::Topology topology = one_group(2);
  const auto thrown = layerpipe::testing::try_on_local_ranks(
      2, std::chrono::seconds(5), [&](comm::Communicator& communicator) {
        const auto stage = static_cast<std::size_t>(communicator.rank());
        StageLinks links = open_links(communicator, topology, {});
        ConfusedStage work;
        execute(lists[stage], links, work, {});
      });
  try {
    ASSERT_TRUE(thrown[1]);
    std::rethrow_exception(thrown[1]);
  } catch (const common::PeerFailedError& error) {
    EXPECT_STREQ(error.what(),
                 "a stage sent request 0, step 7, branch 0 where request 0, step 1, branch 0 was due");
  }
}

}  // namespace
}  // namespace layerpipe::runtime
