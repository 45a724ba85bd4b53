#include "runtime/device/memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace layerpipe::runtime {
namespace {

constexpr std::size_t kBytes = 256 << 20;

TEST(MemoryUse, OfTheCpuFollowsWhatIsTouched) {
  const MemoryUse before = memory_use(at::kCPU);
  EXPECT_GT(before.free, 0U);
  EXPECT_LT(before.free, before.total);
  EXPECT_LT(before.in_use, before.total);
  {
    const std::vector<char> touched(kBytes, 1);
    EXPECT_GT(memory_use(at::kCPU).in_use, before.in_use + kBytes / 2);
  }
  const MemoryUse after = memory_use(at::kCPU);
  EXPECT_LT(after.in_use, before.in_use + kBytes / 2);
  EXPECT_GT(after.peak, before.in_use + kBytes / 2);
}

}  // namespace
}  // namespace layerpipe::runtime
