// Walking over UTF-8. Standard library only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace layerpipe::common {

// What stands at one place of a text.
struct Utf8Step {
  // Of the code point, or, where the bytes are none, of the longest beginning of one (at least 1): the part
  // that one U+FFFD replaces (Unicode 15, section 3.9, "substitution of maximal subparts").
  std::size_t length;
  std::optional<std::uint32_t> code_point;  // empty where the bytes are not UTF-8
};

// `place` < text.size().
Utf8Step utf8_step(std::string_view text, std::size_t place);

// Offset of the first byte that does not belong to a code point; empty when `text` is UTF-8.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

// `text` with U+FFFD for what is not UTF-8.
std::string replace_invalid_utf8(std::string_view text);

void append_utf8(std::string& text, std::uint32_t code_point);

}  // namespace layerpipe::common
