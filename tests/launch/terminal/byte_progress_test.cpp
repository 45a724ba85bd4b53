// The line that tells how far a large file is.
#include "launch/terminal/byte_progress.h"

#include <gmock/gmock.h>

#include <thread>

namespace layerpipe::launch {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

TEST(ByteProgress, TellsTheTimeLeftOfWorkThatGoesOnAsBefore) {
  EXPECT_EQ(byte_progress_text("quantize", 0, 40 * kGiB, 0), "quantize: 0 B of 40.00 GiB");
  EXPECT_EQ(byte_progress_text("quantize", 10 * kGiB, 40 * kGiB, 20),
            "quantize: 10.00 GiB of 40.00 GiB, 1 min 00 s left");
  EXPECT_EQ(byte_progress_text("quantize", 40 * kGiB, 40 * kGiB, 80), "quantize: 40.00 GiB of 40.00 GiB");
}

TEST(ByteProgress, DrawsOverItsLineAndLeavesItEmpty) {
  ::testing::internal::CaptureStderr();
  {
    ByteProgress progress(ProgressStyle::kLive, "quantize");
    progress.show(kGiB, 4 * kGiB);  // too early for a line
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    progress.show(2 * kGiB, 4 * kGiB);
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::MatchesRegex("\r\033\\[2Kquantize: 2.00 GiB of 4.00 GiB, 0.6 s left\r\033\\[2K"));
}

TEST(ByteProgress, SaysNothingOfShortWorkInALog) {
  ::testing::internal::CaptureStderr();
  {
    ByteProgress progress(ProgressStyle::kLines, "quantize");
    progress.show(kGiB, 4 * kGiB);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace layerpipe::launch
