#include "media/safe_name.h"

#include <algorithm>
#include <cstdint>

#include "common/utf8.h"

namespace layerpipe::media {
namespace {

constexpr std::string_view kReplacementUtf8 = "\xef\xbf\xbd";

bool is_line_break_or_tab(std::uint32_t c) {
  return c == '\t' || c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool is_control(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool is_noncharacter(std::uint32_t c) {
  return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

}  // namespace

std::string safe_text(std::string_view text, std::size_t max_bytes) {
  std::string result;
  while (!text.empty()) {
    const common::Utf8Step step = common::utf8_step(text, 0);
    std::string_view put = text.substr(0, step.length);
    if (step.code_point && is_line_break_or_tab(*step.code_point)) {
      put = " ";
    } else if (!step.code_point || is_control(*step.code_point) || is_noncharacter(*step.code_point)) {
      put = kReplacementUtf8;
    }
    if (result.size() + put.size() > max_bytes) break;
    result += put;
    text.remove_prefix(step.length);
  }
  return result;
}

bool is_safe_entry_name(std::string_view path) {
  if (path.empty() || path.size() > 0xffff || path.find('\\') != std::string_view::npos) return false;
  for (std::size_t place = 0; place < path.size();) {
    const common::Utf8Step step = common::utf8_step(path, place);
    if (!step.code_point || is_control(*step.code_point)) return false;
    place += step.length;
  }
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") return false;
    start = end + 1;
  }
  return true;
}

}  // namespace layerpipe::media
