// Tokens that are not made by merging: they are looked for in the text before anything else is done to it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::model {

enum class SpecialTokens { kKeep, kSkip };

struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;  // decode drops it when asked to skip special tokens
  bool normalized =
      false;  // looked for in the normalised text (and normalised itself) instead of in the raw text
};

// Finds added tokens in a text: at the leftmost place where one stands, the longest one. Immutable after
// construction.
class AddedTokenMatcher {
 public:
  struct Pattern {
    std::string text;  // not empty
    std::int32_t id;
  };
  AddedTokenMatcher() = default;
  explicit AddedTokenMatcher(std::vector<Pattern> patterns);

  // Calls `plain` with each stretch between tokens (never empty) and `token` with each token's id, in order.
  void split(std::string_view text, const std::function<void(std::string_view)>& plain,
             const std::function<void(std::int32_t)>& token) const;

 private:
  const Pattern* match(std::string_view text) const;

  std::array<std::vector<Pattern>, 256> by_first_byte_;  // the longest first
};

}  // namespace layerpipe::model
