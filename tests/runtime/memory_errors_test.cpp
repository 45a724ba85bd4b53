#include "runtime/memory_errors.h"

#include <gtest/gtest.h>

namespace layerpipe::runtime {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;

TEST(MemoryErrors, AGpuThatOthersUse) {
  const auto error = does_not_fit(Network::kTransformer, 38 * kGiB, at::Device(at::kCUDA, 0),
                                  {.total = 80 * kGiB, .free = 20 * kGiB, .in_use = kGiB, .peak = kGiB});
  EXPECT_STREQ(error.what(),
               "the transformer's weights take 38.00 GiB; cuda:0 has 20.00 GiB of 80.00 GiB free, 59.00 GiB "
               "are held by others");
  EXPECT_EQ(error.remedy(),
            "Close the other programs that nvidia-smi shows, or take a GPU with more memory.");
}

TEST(MemoryErrors, AMachineThatIsTooSmall) {
  const auto error = does_not_fit(Network::kTextEncoder, 24 * kGiB, at::kCPU,
                                  {.total = 16 * kGiB, .free = 12 * kGiB, .in_use = kGiB, .peak = kGiB});
  EXPECT_STREQ(error.what(),
               "the text encoder's weights take 24.00 GiB; this machine has 12.00 GiB of 16.00 GiB free");
}

TEST(MemoryErrors, AGpuThatIsFullWhileItWorks) {
  const auto error = out_of_memory(
      Phase::kDenoise, 38 * kGiB, at::Device(at::kCUDA, 0),
      "CUDA out of memory. Tried to allocate 18.00 MiB. GPU 0 has a total capacity of 80.00 GiB");
  EXPECT_STREQ(error.what(),
               "cuda:0 has not enough memory to denoise: 18.00 MiB more were asked for; the weights alone "
               "take 38.00 GiB");
}

TEST(MemoryErrors, ATextThatIsNotKnown) {
  EXPECT_STREQ(out_of_memory(Phase::kDecode, kGiB, at::Device(at::kCUDA, 1), "something else").what(),
               "cuda:1 has not enough memory to decode; the weights alone take 1.00 GiB");
}

}  // namespace
}  // namespace layerpipe::runtime
