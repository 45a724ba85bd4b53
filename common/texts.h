// Texts for messages. Standard library only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::common {

// "a", "a and b", "a, b and c", with `joint` before the last one.
std::string listed(const std::vector<std::string>& words, std::string_view joint);

// The first four of a list, and for the rest how many there are more ("3 more").
std::vector<std::string> first_of(const std::vector<std::string>& words);

// A word as a shell takes it for one: as it is, or in single quotes.
std::string shell_word(const std::string& word);

}  // namespace layerpipe::common
