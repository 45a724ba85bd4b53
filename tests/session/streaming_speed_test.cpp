// When a session measures how fast weights come: where they stream, and the same on all ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "common/errors.h"
#include "common/units.h"
#include "session/session.h"
#include "tests/session/silent_observer.h"
#include "tests/support/local_ranks.h"
#include "tests/support/model_copy.h"
#include "tests/support/parity_case.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::session {
namespace {

class PlanKeeper : public SilentObserver {
 public:
  void planned(const PlannedRun& run) override {
    plan = run.plan;
    devices = run.input.devices;
  }
  partition::Plan plan;
  std::vector<partition::DeviceInfo> devices;
};

class NoResults : public ResultSink {
 public:
  void begin(const Machinery&, const Work&, const std::function<void()>&) override {}
  void take(std::size_t, const results::RunRecord&, const runtime::Result&,
            const std::function<void(const results::WritingProgress&)>&) override {
    ++taken;
  }
  int taken = 0;
};

class StreamingSpeed : public ::testing::TestWithParam<int> {
 protected:
  // What rank 0 hears of a run with random weights of a model with sixty blocks; throws what the run throws.
  PlanKeeper run(std::optional<std::uint64_t> limit) {
    const auto picture = layerpipe::testing::load_parity_case("plain").picture();
    Job job;
    job.images = {picture};
    job.prompt = "a lamp";
    job.layers = 1;
    job.resolution = 64;
    job.any_resolution = true;
    job.steps = 1;
    job.random_weights = true;
    Settings settings;
    settings.model = model_;
    settings.device = "cpu";
    settings.random_weights = true;
    settings.run_config.dtype = "fp32";
    settings.run_config.partition.reserve_bytes = 0;
    settings.run_config.partition.memory_limit_bytes = limit;
    PlanKeeper keeper;
    NoResults results;
    layerpipe::testing::on_local_ranks(GetParam(), [&](comm::Communicator& communicator) {
      std::string doing;
      SilentObserver silent;
      RunObserver& observer = communicator.rank() == 0 ? static_cast<RunObserver&>(keeper) : silent;
      Session session(settings, communicator, {stop_, doing, observer});
      session.make(job, results);
    });
    EXPECT_EQ(results.taken, 1);
    return keeper;
  }

  const layerpipe::testing::TemporaryFolder folder_;
  const std::filesystem::path model_ = layerpipe::testing::copy_with_blocks(
      layerpipe::testing::load_parity_case("plain").model(), folder_.path() / "model", 60);
  const std::atomic<bool> stop_{false};
};

// The limit that is said to suffice is taken, and the run comes to its end.
TEST_P(StreamingSpeed, IsMeasuredWhereWeightsStream) {
  const PlanKeeper resident = run(std::nullopt);
  EXPECT_FALSE(resident.plan.streams());
  for (const partition::DeviceInfo& device : resident.devices) {
    EXPECT_GT(device.operations_per_second, 0);
    EXPECT_EQ(device.load_bytes_per_second, 0);
    EXPECT_GT(device.host_free_bytes, 0U);
  }
  EXPECT_TRUE(resident.plan.predicted_seconds);
  std::string remedy;
  try {
    run(std::uint64_t{1} << 10);
  } catch (const common::Error& error) {
    EXPECT_EQ(error.exit_code(), common::ExitCode::kDoesNotFit) << error.what();
    remedy = error.remedy();
  }
  std::smatch words;
  ASSERT_TRUE(std::regex_search(remedy, words, std::regex(R"(--memory-limit (\S+iB))"))) << remedy;
  const PlanKeeper streamed = run(common::parse_bytes(words[1].str()));
  EXPECT_TRUE(streamed.plan.streams());
  ASSERT_EQ(streamed.devices.size(), static_cast<std::size_t>(GetParam()));
  for (const partition::DeviceInfo& device : streamed.devices) EXPECT_GT(device.load_bytes_per_second, 0);
  for (const partition::StagePlan& stage : streamed.plan.stages) {
    EXPECT_TRUE(stage.slowdown && *stage.slowdown >= 1);
    EXPECT_GT(stage.bytes_per_step, 0U);
  }
  EXPECT_TRUE(streamed.plan.predicted_seconds);
}

INSTANTIATE_TEST_SUITE_P(Ranks, StreamingSpeed, ::testing::Values(1, 2));

}  // namespace
}  // namespace layerpipe::session
