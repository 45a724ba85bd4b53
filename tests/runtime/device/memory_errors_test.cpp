#include "runtime/device/memory_errors.h"

#include <gtest/gtest.h>

namespace layerpipe::runtime {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;

TEST(MemoryErrors, AGpuThatIsFullWhileItWorks) {
  const auto error = out_of_memory(
      partition::Phase::kDenoise, 38 * kGiB, at::Device(at::kCUDA, 0),
      "CUDA out of memory. Tried to allocate 18.00 MiB. GPU 0 has a total capacity of 80.00 GiB");
  EXPECT_STREQ(error.what(),
               "cuda:0 has not enough memory to denoise: 18.00 MiB more were asked for; the weights alone "
               "take 38.00 GiB");
}

TEST(MemoryErrors, ATextThatIsNotKnown) {
  EXPECT_STREQ(
      out_of_memory(partition::Phase::kDecode, kGiB, at::Device(at::kCUDA, 1), "something else").what(),
      "cuda:1 has not enough memory to decode; the weights alone take 1.00 GiB");
}

}  // namespace
}  // namespace layerpipe::runtime
