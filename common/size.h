// Standard library only.
#pragma once

#include <cstdint>

namespace layerpipe::common {

// Width and height in pixels.
struct Size {
  std::int64_t width = 0;
  std::int64_t height = 0;
  constexpr bool operator==(const Size&) const = default;
};

}  // namespace layerpipe::common
