// Words for people, on stderr. What comes from a file, a path or a header is made visible here
// (common/visible.h), so nobody who says something has to think of it.
//
// A log that cannot be written (a full disk, a closed descriptor) is no reason to end the work, so failure is
// ignored.
#pragma once

#include <string>
#include <string_view>

namespace layerpipe::launch {

// Writes one line at once; its end may be there or not. Line ends within it are none of ours, and are shown.
void say(std::string_view line) noexcept;

// Several lines of our own making, with their ends. A field that could hold a line end has gone through
// common::visible().
void say_lines(std::string_view lines) noexcept;

// As it is: for a display that moves the cursor.
void draw(const std::string& text) noexcept;

}  // namespace layerpipe::launch
