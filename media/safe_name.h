// Making texts that come from outside fit for documents, archives and folders.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace layerpipe::media {

// One line of valid UTF-8 of at most `max_bytes`, cut between code points. Line breaks and tabs become
// spaces; other control characters, noncharacters and what is no UTF-8 become U+FFFD. Every character
// of the result is allowed in XML 1.0. May be empty.
std::string safe_text(std::string_view text, std::size_t max_bytes);

// The longest name of a file on the common file systems, in bytes.
inline constexpr std::size_t kMaxFileNameBytes = 255;

// `text` as the name of one file or folder, that Linux, macOS and Windows all take: safe_text, with "_" in
// place of / \ : * ? " < > |, of U+FFFD and of the marks that reverse the writing direction; without dots and
// spaces at its ends; and none of the names that Windows keeps for devices ("nul.png" becomes "_nul.png").
// Never empty: "unnamed" when nothing is left. What follows the last dot stays when the rest is cut.
std::string safe_file_name(std::string_view text, std::size_t max_bytes = kMaxFileNameBytes);

// Whether `path` names a file within an archive and nowhere else: valid UTF-8 of 1 to 65,535 bytes without
// control characters and backslashes, in parts between slashes none of which is empty, "." or "..".
bool is_safe_entry_name(std::string_view path);

// Keeps names apart that come one after another: also on systems that do not tell capitals from small
// letters, nor a letter with an accent in one character from one in two.
class UniqueNames {
 public:
  // `name`, which must be valid UTF-8; or "stem-2.ext", "stem-3.ext" … when it is taken, at most `max_bytes`.
  std::string add(const std::string& name, std::size_t max_bytes = kMaxFileNameBytes);

 private:
  std::set<std::string> taken_;  // folded
};

}  // namespace layerpipe::media
