// That a place is not written to while what the device has been given still reads it.
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include <vector>

#include "model/weights/streamed_blocks.h"

namespace layerpipe::model {
namespace {

// Blocks that are enqueued far faster than they are worked on: without the stream's waiting for the last use
// of a place, the next block would be there before the one before it has been read.
TEST(BlockStreamOnGpu, OverwritesNothingThatIsStillRead) {
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "there is no GPU";
  const auto options = at::TensorOptions().device(at::kCUDA, 0).dtype(at::kFloat);
  constexpr std::int64_t kSide = 4096;
  const auto load = [&](std::int64_t index) {
    return at::full({kSide, kSide}, static_cast<double>(index), options);
  };
  StreamedBlocks<at::Tensor> blocks({0, 5}, {.streamed = 3, .device = {at::kCUDA, 0}}, load, load);
  const at::Tensor work = at::rand({kSide, kSide}, options);
  std::vector<at::Tensor> seen;
  for (int round = 0; round < 8; ++round) {
    for (std::int64_t index = 0; index < 5; ++index) {
      const Lease<at::Tensor> block = blocks.acquire(index);
      for (int i = 0; i < 5; ++i) at::mm(work, work);  // what is enqueued before the block is read
      seen.push_back((*block).min());
      seen.push_back((*block).max());
    }
  }
  for (std::size_t i = 0; i < seen.size(); ++i)
    EXPECT_EQ(seen[i].item<float>(), static_cast<float>(i / 2 % 5)) << i;
}

}  // namespace
}  // namespace layerpipe::model
