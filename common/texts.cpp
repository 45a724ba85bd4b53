#include "common/texts.h"

#include <algorithm>
#include <cctype>

namespace layerpipe::common {

std::string listed(const std::vector<std::string>& words, std::string_view joint) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0 && i + 1 == words.size()) {
      text.append(" ").append(joint).append(" ");
    } else if (i > 0) {
      text.append(", ");
    }
    text.append(words[i]);
  }
  return text;
}

std::vector<std::string> first_of(const std::vector<std::string>& words) {
  constexpr std::size_t kMost = 4;
  if (words.size() <= kMost) return words;
  std::vector<std::string> first(words.begin(), words.begin() + kMost);
  first.push_back(std::to_string(words.size() - kMost) + " more");
  return first;
}

std::string shell_word(const std::string& word) {
  static constexpr std::string_view kPlain = "_@%+=:,./-";
  const bool is_plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter >= 0x80 ||
           kPlain.find(static_cast<char>(letter)) != std::string_view::npos;
  });
  if (is_plain) return word;
  std::string quoted("'");
  for (const char letter : word) {
    if (letter == '\'') quoted.append("'\\'");  // ends the quotes, and begins them again with what follows
    quoted.push_back(letter);
  }
  quoted.push_back('\'');
  return quoted;
}

}  // namespace layerpipe::common
