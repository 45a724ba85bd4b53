// Words for people, on stderr.
#pragma once

#include <cstdio>
#include <string>

namespace layerpipe::launch {

// Writes to stderr at once. A log that cannot be written (a full disk, a closed descriptor) is no reason to
// end the work, so failure is ignored.
inline void say(const std::string& text) noexcept {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace layerpipe::launch
