// A run of whole numbers: layers of a network, rows of a tensor, tasks of a list. Standard library only.
#pragma once

#include <cstdint>

namespace layerpipe::common {

// begin … end − 1; empty where the two are equal.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  constexpr std::int64_t size() const { return end - begin; }
  constexpr bool contains(std::int64_t number) const { return begin <= number && number < end; }
  constexpr bool operator==(const Range&) const = default;
};

}  // namespace layerpipe::common
