#include "common/utf8.h"

namespace layerpipe::common {
namespace {

struct Lead {
  int following;       // how many bytes follow; -1 for a byte that cannot begin a code point
  unsigned char low;   // range of the first byte that follows: it keeps out overlong forms,
  unsigned char high;  // surrogates and what lies beyond U+10FFFF
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {0, 0, 0};
  if (byte < 0xC2) return {-1, 0, 0};
  if (byte < 0xE0) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte < 0xF0) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte < 0xF4) return {3, 0x80, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {-1, 0, 0};
}

}  // namespace

Utf8Step utf8_step(std::string_view text, std::size_t place) {
  const auto byte_at = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char first = byte_at(place);
  Lead lead = lead_of(first);
  if (lead.following == 0) return {1, first};
  if (lead.following < 0) return {1, std::nullopt};
  std::uint32_t code_point = first & (0x3Fu >> lead.following);
  std::size_t length = 1;
  for (; length <= static_cast<std::size_t>(lead.following); ++length) {
    if (place + length >= text.size()) return {length, std::nullopt};
    const unsigned char byte = byte_at(place + length);
    if (byte < lead.low || byte > lead.high) return {length, std::nullopt};
    code_point = code_point << 6 | (byte & 0x3Fu);
    lead.low = 0x80;
    lead.high = 0xBF;
  }
  return {length, code_point};
}

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t place = 0; place < text.size();) {
    const Utf8Step step = utf8_step(text, place);
    if (!step.code_point) return place;
    place += step.length;
  }
  return std::nullopt;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t place = 0; place < text.size();) {
    const Utf8Step step = utf8_step(text, place);
    if (step.code_point) {
      result += text.substr(place, step.length);
    } else {
      result += "\xEF\xBF\xBD";
    }
    place += step.length;
  }
  return result;
}

void append_utf8(std::string& text, std::uint32_t code_point) {
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code_point < 0x80) {
    add(code_point);
  } else if (code_point < 0x800) {
    add(0xC0 | code_point >> 6);
    add(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    add(0xE0 | code_point >> 12);
    add(0x80 | (code_point >> 6 & 0x3F));
    add(0x80 | (code_point & 0x3F));
  } else {
    add(0xF0 | code_point >> 18);
    add(0x80 | (code_point >> 12 & 0x3F));
    add(0x80 | (code_point >> 6 & 0x3F));
    add(0x80 | (code_point & 0x3F));
  }
}

}  // namespace layerpipe::common
