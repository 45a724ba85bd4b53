// Texts that come from a file, a path or a header, as a terminal may show them. Standard library only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace layerpipe::common {

// Whether a terminal obeys a character, or shows its neighbours elsewhere or not at all: controls (C0, DEL,
// C1), line and paragraph separators, marks of direction, and what has no width and no place in a word. The
// joiners of Persian and of emoji are none.
bool is_hidden(std::uint32_t code_point);

// `text` on one line, with each hidden character as JSON writes it: "\n", "\t", "\u001B", "\u202E"; a byte
// that is not UTF-8 becomes "\x9B". Everything else stays, a backslash too.
std::string visible(std::string_view text);

// The same for a text of several lines, whose line ends ("\n") stay. A field of such a text that could hold a
// line end of its own goes through visible() before it gets there. What is JSON remains the same JSON.
std::string visible_lines(std::string_view text);

}  // namespace layerpipe::common
