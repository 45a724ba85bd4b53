#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "runtime/device/memory.h"

namespace layerpipe::runtime {
namespace {

constexpr std::size_t kBytes = 256 << 20;

// Pieces too small for a mapping of their own, below one that stays.
TEST(ReleaseUnused, GivesTheHostsMemoryBackToTheSystem) {
  constexpr std::size_t kPiece = 64 << 10;
  std::vector<std::vector<char>> pieces;
  for (std::size_t i = 0; i < kBytes / kPiece; ++i) pieces.emplace_back(kPiece, 1);
  const std::vector<char> on_top(kPiece, 1);
  pieces.clear();
  const std::uint64_t kept = memory_use(at::kCPU).in_use;
  release_unused(at::kCPU);
  EXPECT_LT(memory_use(at::kCPU).in_use, kept - kBytes / 2);
}

}  // namespace
}  // namespace layerpipe::runtime
