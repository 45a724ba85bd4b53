#include "media/psd_names.h"

#include <cstdint>

#include "common/utf8.h"

namespace layerpipe::media {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
}

bool is_high_surrogate(char16_t unit) {
  return unit >= 0xD800 && unit < 0xDC00;
}

}  // namespace

std::u16string psd_unicode_name(std::string_view utf8) {
  std::u16string name;
  for (std::size_t place = 0; place < utf8.size();) {
    const common::Utf8Step step = common::utf8_step(utf8, place);
    place += step.length;
    std::uint32_t code = step.code_point.value_or(kReplacement);
    if (is_control(code)) code = ' ';
    const std::size_t units = code < 0x10000 ? 1 : 2;
    if (name.size() + units > kMaxPsdNameUnits) break;
    if (units == 1) {
      name.push_back(static_cast<char16_t>(code));
    } else {
      name.push_back(static_cast<char16_t>(0xD800 + ((code - 0x10000) >> 10)));
      name.push_back(static_cast<char16_t>(0xDC00 + ((code - 0x10000) & 0x3FF)));
    }
  }
  return name;
}

std::string psd_plain_name(std::u16string_view name) {
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    plain.push_back(name[i] < 0x80 ? static_cast<char>(name[i]) : '?');
    if (is_high_surrogate(name[i])) ++i;  // the other half of the same code point
  }
  return plain;
}

}  // namespace layerpipe::media
