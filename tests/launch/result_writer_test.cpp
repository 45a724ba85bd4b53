#include "launch/result_writer.h"

#include <gtest/gtest.h>

#include "common/errors.h"

namespace layerpipe::launch {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;

TEST(WritingMemory, IsAskedForTheLargestResult) {
  const auto result_of = [](std::int64_t width, std::int64_t height) {
    runtime::ResultRecord record;
    record.layer_size = {width, height};
    return record;
  };
  try {
    check_writing_memory({result_of(640, 640), result_of(12000, 10000)},
                         {.total = 4 * kGiB, .free = 2 * kGiB});
    FAIL() << "nothing was refused";
  } catch (const common::DoesNotFitError& error) {
    EXPECT_STREQ(
        error.what(),
        "writing layers of 12000 × 10000 pixels takes 2.24 GiB; this machine has 2.00 GiB of 4.00 GiB free");
    EXPECT_EQ(error.remedy(), "Close other programs, or leave out --original-size.");
  }
  EXPECT_NO_THROW(check_writing_memory({result_of(12000, 10000)}, {.total = 4 * kGiB, .free = 3 * kGiB}));
}

}  // namespace
}  // namespace layerpipe::launch
