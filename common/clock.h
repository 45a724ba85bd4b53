// The clock of everything that is measured. Standard library only.
#pragma once

#include <chrono>

namespace layerpipe::common {

// Seconds of steady_clock: only differences mean something.
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace layerpipe::common
