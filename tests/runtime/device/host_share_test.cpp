#include "runtime/device/host_share.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/local_ranks.h"

namespace layerpipe::runtime {
namespace {

namespace fs = std::filesystem;

using common::CpuPool;
using common::MemoryPool;
using ::testing::ElementsAre;

MemoryPool pool(const std::string& name, std::uint64_t free) {
  return {.id = name, .cgroup = name, .total = 1000, .free = free};
}

TEST(HostShare, CountsTheRanksThatNameTheSame) {
  const std::vector<std::vector<std::string>> names{{"", "job"}, {"", "job", "task"}, {""}};
  std::vector<std::vector<int>> counts(names.size());
  layerpipe::testing::on_local_ranks(3, [&](comm::Communicator& communicator) {
    const auto rank = static_cast<std::size_t>(communicator.rank());
    counts[rank] = count_sharers(communicator, names[rank], "counting");
  });
  EXPECT_THAT(counts[0], ElementsAre(3, 2));
  EXPECT_THAT(counts[1], ElementsAre(3, 2, 1));
  EXPECT_THAT(counts[2], ElementsAre(3));
}

// A group of one's own leaves less than a third of the machine, or more.
TEST(HostShare, TheSmallestPartOfMemoryCounts) {
  const std::vector<MemoryPool> small{pool("", 900), pool("/task", 200)};
  EXPECT_EQ(smallest_part(small, std::vector<int>{3, 1}).cgroup, "/task");
  EXPECT_EQ(smallest_part(small, std::vector<int>{3, 1}).free, 200u);
  const std::vector<MemoryPool> large{pool("", 900), pool("/task", 400)};
  EXPECT_EQ(smallest_part(large, std::vector<int>{3, 1}).cgroup, "");
  EXPECT_EQ(smallest_part(large, std::vector<int>{3, 1}).free, 300u);
  EXPECT_EQ(smallest_part(large, std::vector<int>{3, 1}).total, 1000u);
  // One group for all.
  EXPECT_EQ(smallest_part(large, std::vector<int>{3, 3}).free, 133u);
}

TEST(HostShare, ThreadsFollowCoresAndQuotas) {
  const auto threads = [](const std::vector<CpuPool>& pools, const std::vector<int>& sharers) {
    return thread_share(pools, sharers);
  };
  EXPECT_EQ(threads({{"cores", 16}}, {1}), 16);
  EXPECT_EQ(threads({{"cores", 16}}, {3}), 5);
  EXPECT_EQ(threads({{"cores", 2}}, {3}), 1);
  EXPECT_EQ(threads({{"job", 1.5}, {"cores", 16}}, {1, 1}), 2);  // one would leave half a core unused
  EXPECT_EQ(threads({{"job", 0.1}, {"cores", 16}}, {1, 1}), 1);
  EXPECT_EQ(threads({{"job", 4}, {"cores", 16}}, {3, 3}), 1);
  // Each bound to cores of its own by the launcher, within one quota.
  EXPECT_EQ(threads({{"job", 6}, {"cores", 4}}, {2, 1}), 3);
}

TEST(HostShare, CoresAreThoseOfTheAffinity) {
  const std::vector<CpuPool> pools = cpu_pools();
  ASSERT_FALSE(pools.empty());
  EXPECT_TRUE(pools.back().id.starts_with("cores "));
  EXPECT_GE(pools.back().cores, 1);
}

// A control group of its own with a quota of so many microseconds in 100,000, where this user may make one.
class QuotaGroup {
 public:
  explicit QuotaGroup(int microseconds) {
    const fs::path groups = "/sys/fs/cgroup";
    const bool is_version_1 = fs::is_directory(groups / "cpu");
    folder_ = (is_version_1 ? groups / "cpu" : groups) / ("layerpipe-test-" + std::to_string(::getpid()));
    std::error_code error;
    if (!fs::create_directory(folder_, error)) return;
    if (is_version_1) {
      is_made_ =
          write("cpu.cfs_period_us", "100000") && write("cpu.cfs_quota_us", std::to_string(microseconds));
    } else {
      is_made_ = write("cpu.max", std::to_string(microseconds) + " 100000");
    }
  }
  ~QuotaGroup() {
    std::error_code error;
    fs::remove(folder_, error);
  }
  QuotaGroup(const QuotaGroup&) = delete;
  QuotaGroup& operator=(const QuotaGroup&) = delete;

  bool is_made() const { return is_made_; }
  bool join() const { return write("cgroup.procs", std::to_string(::getpid())); }

 private:
  bool write(const std::string& file, const std::string& text) const {
    const fs::path path = folder_ / file;
    return fs::exists(path) && static_cast<bool>(std::ofstream(path) << text << std::flush);
  }
  fs::path folder_;
  bool is_made_ = false;
};

TEST(HostShare, CoresAreThoseOfTheQuota) {
  const QuotaGroup group(30000);
  if (!group.is_made()) GTEST_SKIP() << "no control group with a quota of processor time can be made here";
  const pid_t child = ::fork();
  if (child == 0) {
    const bool joined = group.join();
    double least = 1e9;
    for (const CpuPool& pool : cpu_pools()) least = std::min(least, pool.cores);
    ::_exit(joined && least == 0.3 ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace layerpipe::runtime
