// Making texts that come from outside fit for documents and archives.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace layerpipe::media {

// One line of valid UTF-8 of at most `max_bytes`, cut between code points. Line breaks and tabs become
// spaces; other control characters, noncharacters and what is no UTF-8 become U+FFFD. Every character
// of the result is allowed in XML 1.0. May be empty.
std::string safe_text(std::string_view text, std::size_t max_bytes);

// Whether `path` names a file within an archive and nowhere else: valid UTF-8 of 1 to 65,535 bytes without
// control characters and backslashes, in parts between slashes none of which is empty, "." or "..".
bool is_safe_entry_name(std::string_view path);

}  // namespace layerpipe::media
