// Made-up trees of /proc and /sys/fs/cgroup; tests/launch/cgroup_test.py has a real group.
#include "common/cgroup.h"

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "common/host_memory.h"
#include "common/units.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::common {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// Lines of /proc/self/mountinfo.
const std::string kUnified =
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string kMemory = "35 31 0:32 / /sys/fs/cgroup/memory rw shared:15 - cgroup cgroup rw,memory\n";
const std::string kCpu = "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

class CgroupTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) const {
    const std::filesystem::path path = root_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << content;
  }
  // Of this process: its groups, and what is mounted where.
  void write_process(const std::string& cgroup, const std::string& mountinfo) const {
    write("proc/self/cgroup", cgroup);
    write("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + mountinfo);
  }
  void write_machine(std::uint64_t total, std::uint64_t free) const {
    write("proc/meminfo", "MemTotal:       " + std::to_string(total >> 10) +
                              " kB\nMemFree:  12 kB\nMemAvailable:   " + std::to_string(free >> 10) +
                              " kB\nHugePages_Total:       0\nDirectMap1G:  1 kB\n");
  }
  // A group of version 2, in MiB.
  void write_unified(const std::string& folder, const std::string& max, std::uint64_t used,
                     std::uint64_t inactive_file = 0, std::uint64_t active_file = 0) const {
    write(folder + "/memory.max", max + "\n");
    write(folder + "/memory.current", bytes(used));
    write(folder + "/memory.stat",
          "anon 1\nfile 77777777777\nkernel 3\ninactive_anon 5\nactive_anon 5\ninactive_file " +
              bytes(inactive_file) + "active_file " + bytes(active_file) +
              "unevictable 0\nslab_reclaimable 0\n");
  }
  static std::string bytes(std::uint64_t mib) { return std::to_string(mib * kMiB) + "\n"; }
  // "/job 400 MiB, 100 free", innermost first.
  std::vector<std::string> memory() const {
    std::vector<std::string> texts;
    for (const MemoryPool& pool : cgroup_limits(root_.path()).memory) {
      texts.push_back(pool.cgroup + " " + std::to_string(pool.total / kMiB) + " MiB, " +
                      std::to_string(pool.free / kMiB) + " free");
    }
    return texts;
  }
  std::vector<double> cores() const {
    std::vector<double> numbers;
    for (const CpuPool& pool : cgroup_limits(root_.path()).cpus) numbers.push_back(pool.cores);
    return numbers;
  }

  layerpipe::testing::TemporaryFolder root_;
};

TEST_F(CgroupTest, NothingIsLimitedWhereThereAreNoGroups) {
  EXPECT_THAT(memory(), IsEmpty());
  EXPECT_THAT(cores(), IsEmpty());
  write_process("0::/\n", "");
  EXPECT_THAT(memory(), IsEmpty());
  write_process("0::/\n", kUnified);  // of the root there are no such files
  EXPECT_THAT(memory(), IsEmpty());
  EXPECT_THAT(cores(), IsEmpty());
}

TEST_F(CgroupTest, EveryGroupOnTheWayUpCounts) {
  write_process("0::/batch/job/step\n", kUnified);
  write_unified("sys/fs/cgroup/batch", "1073741824", 900);
  write_unified("sys/fs/cgroup/batch/job", "max", 300);
  write_unified("sys/fs/cgroup/batch/job/step", "419430400", 300);
  write_unified("sys/fs/cgroup/batch/other", "1048576", 1);
  EXPECT_THAT(memory(), ElementsAre("/batch/job/step 400 MiB, 100 free", "/batch 1024 MiB, 124 free"));
}

TEST_F(CgroupTest, PageCacheMakesRoom) {
  write_process("0::/job\n", kUnified);
  write_unified("sys/fs/cgroup/job", "419430400", 390, 200, 100);
  EXPECT_THAT(memory(), ElementsAre("/job 400 MiB, 310 free"));
  // More than it uses, by counters that are read one after the other; and more than it may.
  write_unified("sys/fs/cgroup/job", "419430400", 390, 300, 100);
  EXPECT_THAT(memory(), ElementsAre("/job 400 MiB, 400 free"));
  write_unified("sys/fs/cgroup/job", "419430400", 500);
  EXPECT_THAT(memory(), ElementsAre("/job 400 MiB, 0 free"));
}

// Beyond memory.high a process is not killed, but hardly runs.
TEST_F(CgroupTest, TheLowerOfHighAndMaxCounts) {
  write_process("0::/job\n", kUnified);
  write_unified("sys/fs/cgroup/job", "419430400", 100);
  write("sys/fs/cgroup/job/memory.high", "max\n");
  EXPECT_THAT(memory(), ElementsAre("/job 400 MiB, 300 free"));
  write("sys/fs/cgroup/job/memory.high", bytes(300));
  EXPECT_THAT(memory(), ElementsAre("/job 300 MiB, 200 free"));
  write_unified("sys/fs/cgroup/job", "max", 100);
  EXPECT_THAT(memory(), ElementsAre("/job 300 MiB, 200 free"));
}

// A container of version 2 has a namespace: it is in the root, and sees its own group's files there.
TEST_F(CgroupTest, AContainerSeesItsGroupAsTheRoot) {
  write_process("0::/\n", kUnified);
  write_unified("sys/fs/cgroup", "419430400", 100);
  EXPECT_THAT(memory(), ElementsAre("/ 400 MiB, 300 free"));
}

// A container without a namespace has a part of the tree mounted, and paths of the host.
TEST_F(CgroupTest, AMountShowsAPartOfTheTree) {
  write_process("0::/docker/abc/task\n", "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
  write_unified("sys/fs/cgroup", "419430400", 100);
  write_unified("sys/fs/cgroup/task", "314572800", 100);
  EXPECT_THAT(memory(), ElementsAre("/docker/abc/task 300 MiB, 200 free", "/docker/abc 400 MiB, 300 free"));
  // The whole tree beside it, behind a name with a blank.
  write_process("0::/docker/abc/task\n",
                "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
                "31 24 0:26 / /all\\040groups ro - cgroup2 cgroup2 rw\n");
  write_unified("all groups/docker", "209715200", 150);
  EXPECT_THAT(memory(), ElementsAre("/docker 200 MiB, 50 free"));
}

TEST_F(CgroupTest, AMountThatDoesNotShowTheWayUpSaysNothing) {
  write_unified("sys/fs/cgroup", "419430400", 100);
  write_unified("sys/fs/other", "419430400", 100);
  write_process("0::/../other\n", kUnified);  // outside of the namespace's root
  EXPECT_THAT(memory(), IsEmpty());
  write_process("0::/docker/abcd\n", "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
  EXPECT_THAT(memory(), IsEmpty());
}

TEST_F(CgroupTest, Version1HasATreeForEachController) {
  write_process("12:cpuset:/\n4:memory:/a:b/job\n3:cpu,cpuacct:/job\n1:name=systemd:/x\n0::/x\n",
                kMemory + kCpu);
  const std::string job = "sys/fs/cgroup/memory/a:b/job/";
  write(job + "memory.limit_in_bytes", bytes(400));
  write(job + "memory.usage_in_bytes", bytes(350));
  write(job + "memory.stat", "inactive_file 1\nactive_file 1\nhierarchical_memory_limit " + bytes(300) +
                                 "total_inactive_file " + bytes(50) + "total_active_file " + bytes(70));
  write("sys/fs/cgroup/memory/a:b/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_THAT(memory(), ElementsAre("/a:b/job 400 MiB, 170 free"));
  write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n");
  write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_THAT(cores(), ElementsAre(1.5));
}

// Of groups above what is mounted, their limit is known and not what they use.
TEST_F(CgroupTest, Version1TellsTheLimitOfGroupsThatAreNotMounted) {
  write_process("4:memory:/docker/abc\n",
                "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", bytes(100));
  write("sys/fs/cgroup/memory/memory.stat", "hierarchical_memory_limit " + bytes(400));
  EXPECT_THAT(memory(), ElementsAre("/docker/abc 400 MiB, 300 free"));
}

TEST_F(CgroupTest, GroupsThatCountThemselvesOnlyLimitNobodyBelow) {
  write_process("4:memory:/a/b\n", kMemory);
  for (const char* group : {"a", "a/b"}) {
    const std::string folder = std::string("sys/fs/cgroup/memory/") + group;
    write(folder + "/memory.limit_in_bytes", bytes(400));
    write(folder + "/memory.usage_in_bytes", bytes(100));
    write(folder + "/memory.use_hierarchy", "0\n");
  }
  EXPECT_THAT(memory(), ElementsAre("/a/b 400 MiB, 300 free"));
  write("sys/fs/cgroup/memory/a/memory.use_hierarchy", "1\n");
  EXPECT_THAT(memory(), ElementsAre("/a/b 400 MiB, 300 free", "/a 400 MiB, 300 free"));
}

// As systemd's "hybrid": version 2 without controllers beside version 1.
TEST_F(CgroupTest, BothVersionsAtOnce) {
  write_process("4:memory:/job\n3:cpu,cpuacct:/\n0::/job\n",
                kMemory + kCpu + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  write("sys/fs/cgroup/unified/job/cgroup.procs", "1\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", bytes(400));
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", bytes(100));
  EXPECT_THAT(memory(), ElementsAre("/job 400 MiB, 300 free"));
  write("sys/fs/cgroup/unified/job/cpu.max", "250000 100000\n");
  EXPECT_THAT(cores(), ElementsAre(2.5));
}

TEST_F(CgroupTest, QuotasOfVersion2) {
  write_process("0::/a/b\n", kUnified);
  write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_THAT(cores(), IsEmpty());
  write("sys/fs/cgroup/a/cpu.max", "400000 100000\n");
  write("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_THAT(cores(), ElementsAre(0.5, 4.0));
}

TEST_F(CgroupTest, WhatMakesNoSenseLimitsNothing) {
  for (const char* text : {"", "\n", "abc\n", "-5\n", "99999999999999999999999\n", "400 MiB\n", "max\n"}) {
    write_process("0::/job\n", kUnified);
    write_unified("sys/fs/cgroup/job", text, 100);
    write("sys/fs/cgroup/job/cpu.max", text);
    EXPECT_THAT(memory(), IsEmpty()) << text;
    EXPECT_THAT(cores(), IsEmpty()) << text;
  }
  for (const char* text : {"", "0", "0::", "::/job", "0:/job", "\n\n", "0::job"}) {
    write_process(text, kUnified);
    EXPECT_THAT(memory(), IsEmpty()) << text;
  }
  for (const char* text :
       {"", "30 24 0:26 / /sys/fs/cgroup\n", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2\n", "-\n- - - -\n"}) {
    write_process("0::/job\n", text);
    EXPECT_THAT(memory(), IsEmpty()) << text;
  }
  write("sys/fs/cgroup/job/cpu.max", "100000 0\n");
  write_process("0::/job\n", kUnified);
  EXPECT_THAT(cores(), IsEmpty());
}

TEST_F(CgroupTest, GroupsAreKnownWhateverTheyAreCalled) {
  write_process("0::/docker/abc\n", kUnified);
  write_unified("sys/fs/cgroup/docker/abc", "419430400", 100);
  const std::string outside = cgroup_limits(root_.path()).memory.at(0).id;
  write_process("0::/\n", "30 24 0:26 / /sys/fs/cgroup/docker/abc ro - cgroup2 cgroup2 rw\n");
  const MemoryPool inside = cgroup_limits(root_.path()).memory.at(0);
  EXPECT_EQ(inside.cgroup, "/");
  EXPECT_EQ(inside.id, outside);
  EXPECT_FALSE(outside.empty());
}

TEST_F(CgroupTest, TheMachineIsAPoolToo) {
  write_process("0::/a/b\n", kUnified);
  write_machine(8192 * kMiB, 500 * kMiB);
  write_unified("sys/fs/cgroup/a", "1073741824", 900);
  write_unified("sys/fs/cgroup/a/b", "17179869184", 1);  // 16 GiB, more than there is
  const std::vector<MemoryPool> pools = memory_pools(root_.path());
  ASSERT_EQ(pools.size(), 2u);
  EXPECT_EQ(free_text(pools[0]), "this machine has 500.00 MiB of 8.00 GiB free");
  EXPECT_EQ(limit_text(pools[0]), "");
  EXPECT_EQ(std::string(cure_text(pools[0])), "Close other programs");
  EXPECT_EQ(free_text(pools[1]), "the cgroup /a has 124.00 MiB of 1.00 GiB free");
  EXPECT_EQ(limit_text(pools[1]), "a cgroup limits the memory to 1.00 GiB (/a)");
  EXPECT_EQ(std::string(cure_text(pools[1])), "Raise the cgroup's limit");
  EXPECT_EQ(&tightest(pools), &pools[1]);
  write_machine(8192 * kMiB, 100 * kMiB);
  EXPECT_EQ(tightest(memory_pools(root_.path())).cgroup, "");
}

TEST_F(CgroupTest, AContainersGroupHasNoNameWorthSaying) {
  const MemoryPool pool{.id = "1:2", .cgroup = "/", .total = 400 * kMiB, .free = 100 * kMiB};
  EXPECT_EQ(free_text(pool), "the cgroup has 100.00 MiB of 400.00 MiB free");
  EXPECT_EQ(limit_text(pool), "a cgroup limits the memory to 400.00 MiB");
}

// Whatever this machine has: numbers that can be.
TEST(HostMemory, OfThisMachine) {
  const std::vector<MemoryPool> pools = memory_pools();
  ASSERT_FALSE(pools.empty());
  for (const MemoryPool& pool : pools) {
    EXPECT_LE(pool.free, pool.total) << pool.cgroup;
    EXPECT_LE(pool.total, pools.front().total) << pool.cgroup;
  }
  EXPECT_EQ(memory_left().total, tightest(pools).total);
}

}  // namespace
}  // namespace layerpipe::common
