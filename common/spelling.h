// What a person may have meant. Standard library only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::common {

// How many letters have to be put in, taken out or replaced, or neighbours swapped, to make one word of the
// other (Damerau and Levenshtein's distance, no letter touched twice).
std::size_t edit_distance(std::string_view from, std::string_view to);

// The candidate nearest to `word`, the first of several; none when even that one is another word: more than a
// third of its letters away. Dashes in front of either do not count.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace layerpipe::common
