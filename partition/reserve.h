// The memory that a plan keeps free on every device, and how much that is of a small one.
#pragma once

#include <cstdint>

namespace layerpipe::partition {

// Whether a reserve takes so much of what may be used of a device that a person should hear of it.
constexpr bool is_large_reserve(std::uint64_t reserve_bytes, std::uint64_t usable_bytes) {
  constexpr std::uint64_t kUsualParts = 8;
  return reserve_bytes > usable_bytes / kUsualParts;
}

}  // namespace layerpipe::partition
