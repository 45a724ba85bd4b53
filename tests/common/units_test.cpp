#include "common/units.h"

#include <gtest/gtest.h>

namespace layerpipe::common {
namespace {

TEST(Units, FormatsBytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(3ULL << 19), "1.50 MiB");
  EXPECT_EQ(format_bytes(40856000000ULL), "38.05 GiB");
}

TEST(Units, FormatsDurations) {
  using std::chrono::duration;
  EXPECT_EQ(format_duration(duration<double>(0.84)), "0.8 s");
  EXPECT_EQ(format_duration(duration<double>(9.96)), "10 s");
  EXPECT_EQ(format_duration(duration<double>(59.6)), "1 min 00 s");
  EXPECT_EQ(format_duration(duration<double>(185)), "3 min 05 s");
  EXPECT_EQ(format_duration(duration<double>(3725)), "1 h 02 min");
}

}  // namespace
}  // namespace layerpipe::common
