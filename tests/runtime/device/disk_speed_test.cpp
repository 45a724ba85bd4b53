#include "runtime/device/disk_speed.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "common/descriptor.h"
#include "common/files.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::runtime {
namespace {

TEST(DiskSpeed, IsMeasuredWhereFilesCanBeReadPastTheirCopies) {
  const layerpipe::testing::TemporaryFolder folder;
  const auto file = folder.path() / "weights";
  common::write_file_atomically(file, std::string((std::size_t{16} << 20) + 5, 'w'));
  const bool can_be_read = common::Descriptor(::open(file.c_str(), O_RDONLY | O_DIRECT)).get() >= 0;
  std::atomic<int> reports{0};
  const double speed = measure_disk_bytes_per_second(file, [&] { ++reports; });
  if (can_be_read) {
    EXPECT_GT(speed, 1e5);
    EXPECT_LT(speed, 1e12);
    EXPECT_GE(reports, 1);
  } else {
    EXPECT_EQ(speed, 0);
  }
}

TEST(DiskSpeed, IsUnknownOfWhatIsNoFileOrASmallOne) {
  const layerpipe::testing::TemporaryFolder folder;
  EXPECT_EQ(measure_disk_bytes_per_second(folder.path()), 0);
  EXPECT_EQ(measure_disk_bytes_per_second(folder.path() / "none"), 0);
  common::write_file_atomically(folder.path() / "small", std::string(1000, 'w'));
  EXPECT_EQ(measure_disk_bytes_per_second(folder.path() / "small"), 0);
}

}  // namespace
}  // namespace layerpipe::runtime
