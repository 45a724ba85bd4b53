// A session that makes several jobs: the bits of a session each, and what is loaded stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "common/errors.h"
#include "results/layer_pixels.h"
#include "session/session.h"
#include "tests/session/silent_observer.h"
#include "tests/support/local_ranks.h"
#include "tests/support/parity_case.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::session {
namespace {

using layerpipe::testing::load_parity_case;
using layerpipe::testing::on_local_ranks;
using layerpipe::testing::parity_case_names;
using layerpipe::testing::ParityCase;

// Counts how often each network is loaded, the modulation table made, and a window begun.
class LoadCounter : public SilentObserver {
 public:
  void progress(const runtime::Progress& progress) override {
    if (progress.work == runtime::Progress::Work::kLoad && progress.done == 0) ++loads[progress.network];
    if (progress.work == runtime::Progress::Work::kPrepare && progress.done == 0) ++tables;
  }
  void window_begins(const common::Range&, std::int64_t) override { ++windows; }
  std::map<partition::Network, int> loads;
  int tables = 0;
  int windows = 0;
};

// Keeps what a job makes.
class Collector : public ResultSink {
 public:
  void begin(const Machinery&, const Work& work, const std::function<void()>& /*moved*/) override {
    expected = work.requests.size();
  }
  void take(std::size_t, const results::RunRecord& record, const runtime::Result& result,
            const std::function<void(const results::WritingProgress&)>&) override {
    layers.push_back(result.decoded);
    run_ids.push_back(record.run_id);
  }
  std::size_t expected = 0;
  std::vector<at::Tensor> layers;
  std::vector<std::string> run_ids;
};

class SessionJobs : public ::testing::Test {
 protected:
  Job job(std::int64_t resolution, std::int64_t num_images) const {
    Job job;
    job.images = {parity_.picture()};
    job.prompt = "a lamp, a chair";
    job.layers = 2;
    job.resolution = resolution;
    job.any_resolution = true;
    job.steps = 1;
    job.num_images = num_images;
    return job;
  }
  Settings settings() const {
    Settings settings;
    settings.model = parity_.model();
    settings.device = "cpu";
    settings.run_config.dtype = "fp32";
    settings.run_config.partition.residency = {
        partition::Residency::kResident, partition::Residency::kResident, partition::Residency::kResident};
    return settings;
  }

  const ParityCase parity_ = load_parity_case(parity_case_names().front());
  const std::atomic<bool> stop_{false};
};

TEST_F(SessionJobs, HaveTheBitsOfASessionEachAndLoadTheModelOnce) {
  const std::vector<Job> jobs{job(96, 1), job(64, 3), job(96, 1)};
  std::vector<Collector> together(jobs.size());
  std::vector<Collector> alone(jobs.size());
  LoadCounter counter;
  on_local_ranks(2, [&](comm::Communicator& communicator) {
    std::string doing;
    SilentObserver silent;
    RunObserver& observer = communicator.rank() == 0 ? counter : silent;
    {
      Session session(settings(), communicator, {stop_, doing, observer});
      for (std::size_t i = 0; i < jobs.size(); ++i) session.make(jobs[i], together[i]);
    }
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      Session one(settings(), communicator, {stop_, doing, silent});
      one.make(jobs[i], alone[i]);
    }
  });
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto count = static_cast<std::size_t>(jobs[i].num_images);
    EXPECT_EQ(together[i].expected, count);
    ASSERT_EQ(together[i].layers.size(), count);
    ASSERT_EQ(alone[i].layers.size(), count);
    for (std::size_t n = 0; n < count; ++n)
      EXPECT_TRUE(layerpipe::testing::is_equal(together[i].layers[n], alone[i].layers[n])) << i << ", " << n;
    EXPECT_THAT(together[i].run_ids, ::testing::Each(together[0].run_ids[0]));
    EXPECT_NE(alone[i].run_ids[0], together[0].run_ids[0]);
  }
  EXPECT_EQ(counter.loads[partition::Network::kTransformer], 1);
  EXPECT_EQ(counter.loads[partition::Network::kVaeDecoder], 1);
}

// Pictures of three sizes have timesteps of their own. The first window makes the modulation of all of them,
// and the next job of the session finds it there.
TEST_F(SessionJobs, MakeTheModulationOfAllWindowsWithTheFirst) {
  Job sizes = job(96, 1);
  sizes.steps = 3;
  for (const char* other : {"long_prompt", "odd_size"})
    sizes.images.push_back(load_parity_case(other).picture());
  LoadCounter counter;
  Collector results;
  on_local_ranks(1, [&](comm::Communicator& communicator) {
    std::string doing;
    Session session(settings(), communicator, {stop_, doing, counter});
    for (int time = 0; time < 2; ++time) session.make(sizes, results);
  });
  EXPECT_EQ(counter.windows, 6);
  EXPECT_EQ(counter.tables, 1);
  ASSERT_EQ(results.layers.size(), 6U);
  EXPECT_NE(results.layers[0].sizes(), results.layers[1].sizes());
  EXPECT_NE(results.layers[1].sizes(), results.layers[2].sizes());
}

// What cannot be made is refused on all ranks, and the next job is made.
TEST_F(SessionJobs, GoOnBehindOneThatCannotBeMade) {
  Job missing = job(64, 1);
  missing.images = {"no such picture.png"};
  Job random = job(64, 1);
  random.random_weights = true;
  Collector good;
  std::vector<std::string> said[2];
  on_local_ranks(2, [&](comm::Communicator& communicator) {
    std::string doing;
    SilentObserver observer;
    Session session(settings(), communicator, {stop_, doing, observer});
    for (const Job& bad : {missing, random}) {
      Collector none;
      try {
        session.make(bad, none);
      } catch (const common::AgreedError& error) {
        said[communicator.rank()].emplace_back(error.what());
      }
      EXPECT_TRUE(none.layers.empty());
    }
    session.make(job(64, 1), good);
  });
  for (const std::vector<std::string>& rank : said) {
    EXPECT_THAT(rank, ::testing::ElementsAre(
                          ::testing::HasSubstr("no such picture.png"),
                          ::testing::HasSubstr("the job asks for random weights, but those of the model "
                                               "folder are loaded")));
  }
  EXPECT_EQ(good.layers.size(), 1U);
}

// Every rank says what it was given.
TEST_F(SessionJobs, AreTheSameOnAllRanks) {
  std::string said[2];
  on_local_ranks(2, [&](comm::Communicator& communicator) {
    std::string doing;
    SilentObserver observer;
    Session session(settings(), communicator, {stop_, doing, observer});
    Job mine = job(64, 1);
    mine.seed += static_cast<std::uint64_t>(communicator.rank());
    Collector none;
    try {
      session.make(mine, none);
    } catch (const common::AgreedError& error) {
      said[communicator.rank()] = error.what();
    }
  });
  EXPECT_THAT(said, ::testing::Each(::testing::HasSubstr("job")));
}

}  // namespace
}  // namespace layerpipe::session
