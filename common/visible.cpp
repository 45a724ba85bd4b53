#include "common/visible.h"

#include <array>
#include <cstdio>

#include "common/utf8.h"

namespace layerpipe::common {
namespace {

struct CodePoints {
  std::uint32_t first;
  std::uint32_t last;
};

constexpr std::array kHidden{
    CodePoints{0x0000, 0x001F},    // C0
    CodePoints{0x007F, 0x009F},    // DEL and C1
    CodePoints{0x00AD, 0x00AD},    // soft hyphen
    CodePoints{0x061C, 0x061C},    // Arabic letter mark
    CodePoints{0x180E, 0x180E},    // Mongolian vowel separator
    CodePoints{0x200B, 0x200B},    // zero width space
    CodePoints{0x200E, 0x200F},    // left-to-right and right-to-left mark
    CodePoints{0x2028, 0x202E},    // line and paragraph separators, embeddings and overrides
    CodePoints{0x2060, 0x206F},    // word joiner, invisible operators, isolates, deprecated format characters
    CodePoints{0xFEFF, 0xFEFF},    // byte order mark
    CodePoints{0xFFF9, 0xFFFB},    // interlinear annotations
    CodePoints{0xE0000, 0xE007F},  // tags
};

std::string printed(const char* format, std::uint32_t value) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

std::string escape_of(std::uint32_t code_point) {
  switch (code_point) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (code_point < 0x10000) return printed("\\u%04X", code_point);
  const std::uint32_t rest = code_point - 0x10000;
  return printed("\\u%04X", 0xD800 + (rest >> 10)) + printed("\\u%04X", 0xDC00 + (rest & 0x3FF));
}

enum class LineEnds { kShown, kKept };

std::string shown(std::string_view text, LineEnds line_ends) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t place = 0; place < text.size();) {
    const Utf8Step step = utf8_step(text, place);
    if (!step.code_point) {
      for (const char byte : text.substr(place, step.length))
        result += printed("\\x%02X", static_cast<unsigned char>(byte));
    } else if (is_hidden(*step.code_point) && !(*step.code_point == '\n' && line_ends == LineEnds::kKept)) {
      result += escape_of(*step.code_point);
    } else {
      result += text.substr(place, step.length);
    }
    place += step.length;
  }
  return result;
}

}  // namespace

bool is_hidden(std::uint32_t code_point) {
  for (const CodePoints& range : kHidden) {
    if (code_point >= range.first && code_point <= range.last) return true;
  }
  return false;
}

std::string visible(std::string_view text) {
  return shown(text, LineEnds::kShown);
}

std::string visible_lines(std::string_view text) {
  return shown(text, LineEnds::kKept);
}

}  // namespace layerpipe::common
