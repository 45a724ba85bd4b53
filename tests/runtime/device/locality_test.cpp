#include "runtime/device/locality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/support/temporary_folder.h"

namespace layerpipe::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CoreList, IsReadAsTheKernelWritesIt) {
  EXPECT_THAT(parse_core_list("0"), ElementsAre(0));
  EXPECT_THAT(parse_core_list("0-3,8"), ElementsAre(0, 1, 2, 3, 8));
  EXPECT_THAT(parse_core_list("2,4-5,1023"), ElementsAre(2, 4, 5, 1023));
}

TEST(CoreList, IsEmptyWhenItIsNone) {
  for (const char* text : {"", "x", "-1", "3-1", "1,", "1-", "1 2", "0-1024", "99999999999", "0x3", "1-2-3"})
    EXPECT_THAT(parse_core_list(text), IsEmpty()) << text;
}

TEST(CoresNear, AreThoseOfThePciDevice) {
  const layerpipe::testing::TemporaryFolder sysfs;
  const auto device = sysfs.path() / "bus" / "pci" / "devices" / "0000:3b:00.0";
  std::filesystem::create_directories(device);
  std::ofstream(device / "local_cpulist") << "4-5\n";
  EXPECT_THAT(cores_near("0000:3B:00.0", sysfs.path()), ElementsAre(4, 5));
  EXPECT_THAT(cores_near("0000:3c:00.0", sysfs.path()), IsEmpty()) << "a device that is not there";
  EXPECT_THAT(cores_near("", sysfs.path()), IsEmpty()) << "a driver that does not tell";
}

std::vector<int> cores_of_this_thread() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

// In a thread of its own, so that no other test is kept anywhere.
TEST(StayOn, KeepsAThreadAndThoseThatItStarts) {
  const std::vector<int> all = cores_of_this_thread();
  if (all.size() < 2) GTEST_SKIP() << "one core only";
  std::vector<int> later;
  std::vector<int> none;
  std::thread([&] {
    EXPECT_EQ(stay_on({all[1], CPU_SETSIZE - 1}), 1);
    std::thread([&] { later = cores_of_this_thread(); }).join();
    EXPECT_EQ(stay_on({all[0]}), 0) << "not allowed any more";
    none = cores_of_this_thread();
  }).join();
  EXPECT_THAT(later, ElementsAre(all[1]));
  EXPECT_THAT(none, ElementsAre(all[1]));
  EXPECT_EQ(cores_of_this_thread(), all);
}

}  // namespace
}  // namespace layerpipe::runtime
