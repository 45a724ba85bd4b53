#include "launch/terminal/terminal.h"

#include <cstdio>
#include <new>

#include "common/visible.h"

namespace layerpipe::launch {

void say(std::string_view line) noexcept {
  if (line.ends_with('\n')) line.remove_suffix(1);
  try {
    draw(common::visible(line) + "\n");
  } catch (const std::bad_alloc&) {  // as if the log could not be written
  }
}

void say_lines(std::string_view lines) noexcept {
  try {
    draw(common::visible_lines(lines));
  } catch (const std::bad_alloc&) {
  }
}

void draw(const std::string& text) noexcept {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace layerpipe::launch
