// A session that makes many jobs of changing sizes holds no more memory behind the last of them than behind
// the third.
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "comm/local/local_transport.h"
#include "session/session.h"
#include "tests/session/silent_observer.h"
#include "tests/support/holdings.h"
#include "tests/support/model_forms.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::session {
namespace {

using layerpipe::testing::Holdings;
using layerpipe::testing::holdings;
using partition::Residency;

constexpr int kJobs = 20;
constexpr int kSettled = 3;
// What threads' arenas keep of their scratch once they have had it; more than half of what a block takes.
constexpr std::int64_t kArenasKib = 16 * 1024;

// Counts the jobs in which weights stream.
class PlanWatcher : public SilentObserver {
 public:
  void planned(const PlannedRun& run) override { streaming_jobs += run.plan.stages[0].streamed_blocks > 0; }
  int streaming_jobs = 0;
};

// Counts results, and lets them go.
class ResultCounter : public ResultSink {
 public:
  void begin(const Machinery&, const Work&, const std::function<void()>& /*moved*/) override {}
  void take(std::size_t, const results::RunRecord&, const runtime::Result&,
            const std::function<void(const results::WritingProgress&)>&) override {
    ++results;
  }
  int results = 0;
};

std::filesystem::path demo(const std::string& name) {
  return std::filesystem::path(LAYERPIPE_DEMO) / name;
}

// Job number `i`: another size, other layers, steps and prompts, another number of results each time. The
// last one is the third one again, since a session holds what it has encoded last; between them lie larger
// and smaller ones, of sizes that were not there before.
Job job_number(int i) {
  struct Shape {
    std::int64_t resolution;
    std::int64_t layers;
    std::int64_t steps;
    std::int64_t num_images;
  };
  constexpr Shape kShapes[] = {{96, 1, 1, 1},  {64, 2, 2, 2}, {128, 1, 2, 1}, {160, 1, 3, 1}, {64, 5, 1, 1},
                               {128, 3, 1, 1}, {32, 1, 1, 3}, {96, 4, 2, 1},  {160, 2, 1, 1}, {32, 6, 4, 2}};
  if (i + 1 == kJobs) i = kSettled - 1;
  const Shape& shape = kShapes[static_cast<std::size_t>(i) % std::size(kShapes)];
  Job job;
  job.images = {demo("pictures") / "weather.png"};
  job.prompt = "a poster";
  for (int word = 0; word < i; ++word) job.prompt += " of the sea";
  job.layers = shape.layers;
  job.resolution = shape.resolution;
  job.any_resolution = true;
  job.steps = shape.steps;
  job.num_images = shape.num_images;
  job.no_cfg = i % 7 == 3;
  return job;
}

// What has been taken from malloc() and not given back, from which tensors come, too.
std::int64_t heap_bytes() {
  const struct mallinfo2 heap = ::mallinfo2();
  return static_cast<std::int64_t>(heap.uordblks + heap.hblkhd);
}

struct Case {
  std::string name;
  Residency residency;
  std::uint64_t limit_mib = 0;  // that leaves no room for all blocks; 0: no limit
};
std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.name;
}

class LevelMemory : public ::testing::TestWithParam<Case> {
 protected:
  // LibTorch keeps kernels that it has compiled for a size, a thousand of them, oneDNN as many, and MKL the
  // buffers of each thread; that is not what is looked at here.
  static void SetUpTestSuite() {
    ::setenv("LRU_CACHE_CAPACITY", "1", /*overwrite=*/1);
    ::setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0", /*overwrite=*/1);
    ::setenv("MKL_DISABLE_FAST_MM", "1", /*overwrite=*/1);
  }

  Settings settings() const {
    Settings settings;
    settings.model =
        layerpipe::testing::copy_with_repeated_blocks(demo("model"), folder_.path() / "model", 12);
    settings.device = "cpu";
    settings.run_config.dtype = "fp32";  // LibTorch's attention in bf16 keeps kernels for each length
    auto& partition = settings.run_config.partition;
    partition.residency = partition::for_all(GetParam().residency);
    partition.reserve_bytes = 0;
    if (GetParam().limit_mib > 0) partition.memory_limit_bytes = GetParam().limit_mib << 20;
    return settings;
  }

  const layerpipe::testing::TemporaryFolder folder_;
  const std::atomic<bool> stop_{false};
};

TEST_P(LevelMemory, OfTheHostFromTheThirdJobToTheTwentieth) {
  const auto alone = std::move(comm::connect_local(1, std::chrono::seconds(60)).front());
  std::string doing;
  PlanWatcher plans;
  Session session(settings(), *alone, {stop_, doing, plans});
  ResultCounter counter;
  Holdings settled;
  std::int64_t settled_heap = 0;
  for (int i = 0; i < kJobs; ++i) {
    session.make(job_number(i), counter);
    if (i + 1 != kSettled) continue;
    settled = holdings();
    settled_heap = heap_bytes();
  }
  const Holdings last = holdings();
  RecordProperty("settled_heap", std::to_string(settled_heap));
  RecordProperty("last_heap", std::to_string(heap_bytes()));
  EXPECT_NEAR(static_cast<double>(heap_bytes()), static_cast<double>(settled_heap),
              0.01 * static_cast<double>(settled_heap));
  EXPECT_LT(last.resident_kib, settled.resident_kib + kArenasKib);
  EXPECT_EQ(last.files, settled.files);
  EXPECT_EQ(last.threads, settled.threads);
  EXPECT_EQ(plans.streaming_jobs, GetParam().residency == Residency::kStreamed ? kJobs : 0);
  EXPECT_GT(counter.results, kJobs);
}

INSTANTIATE_TEST_SUITE_P(Residencies, LevelMemory,
                         ::testing::Values(Case{"Resident", Residency::kResident},
                                           Case{"Phased", Residency::kPhased},
                                           Case{"Streamed", Residency::kStreamed, 32}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace layerpipe::session
