#include "session/option_text.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "common/errors.h"
#include "common/utf8.h"

namespace layerpipe::session {
namespace {

[[noreturn]] void refuse(const OptionText& value, const std::string& what) {
  throw common::InputError(value.option + what, value.remedy);
}

void require_text(const OptionText& value) {
  if (value.text.empty()) refuse(value, " is empty");
}

bool is_whole_number(const std::string& text) {
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  return text.size() > sign && text.find_first_not_of("0123456789", sign) == std::string::npos;
}

template <typename T>
T read_integer(const OptionText& value, T least, T most) {
  require_text(value);
  const std::string& text = value.text;
  if (!is_whole_number(text)) refuse(value, fmt::format(" {} is not a whole number", text));
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < least || number > most)
    refuse(value, fmt::format(" {} is out of range: {} to {}", text, least, most));
  return number;
}

}  // namespace

std::string read_text(const OptionText& value) {
  if (const auto offset = common::first_invalid_utf8(value.text)) {
    throw common::InputError(fmt::format("{} is not UTF-8: byte 0x{:02X} at offset {}", value.option,
                                         static_cast<unsigned char>(value.text[*offset]), *offset),
                             "Write it in UTF-8: \"locale charmap\" says what this terminal writes.");
  }
  return value.text;
}

std::filesystem::path read_path(const OptionText& value) {
  require_text(value);
  return value.text;
}

std::string read_choice(const OptionText& value, const std::vector<std::string>& choices) {
  require_text(value);
  if (std::find(choices.begin(), choices.end(), value.text) == choices.end()) {
    throw common::InputError(fmt::format("{} {} is not known", value.option, value.text),
                             fmt::format("Take {}.", fmt::join(choices, " or ")));
  }
  return value.text;
}

double read_number(const OptionText& value, double least, double most) {
  require_text(value);
  const std::string& text = value.text;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument || end != text.data() + text.size() || std::isnan(number))
    refuse(value, fmt::format(" {} is not a number", text));
  if (error == std::errc::result_out_of_range || number < least || number > most)
    refuse(value, fmt::format(" {} is out of range: {} to {}", text, least, most));
  return number;
}

std::int64_t read_whole_number(const OptionText& value, std::int64_t least, std::int64_t most) {
  return read_integer(value, least, most);
}

std::uint64_t read_seed(const OptionText& value) {
  return read_integer(value, std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max());
}

std::vector<results::Format> read_formats(const OptionText& value, std::span<const results::Format> known) {
  const auto& [option, text, remedy] = value;
  const std::string cure =
      fmt::format("Take {}, or several with commas between them.", results::list_of(known));
  std::vector<results::Format> formats;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string word = text.substr(start, end - start);
    start = end + 1;
    if (word.empty()) {
      throw common::InputError(
          text.empty() ? option + " is empty" : fmt::format("{} {} has a comma too many", option, text),
          cure);
    }
    const auto format =
        std::find_if(known.begin(), known.end(), [&](results::Format one) { return word == to_string(one); });
    if (format == known.end())
      throw common::InputError(fmt::format("{} {} is not known", option, word), cure);
    if (contains(formats, *format))
      throw common::InputError(fmt::format("{} names {} twice", option, word), cure);
    formats.push_back(*format);
  }
  std::sort(formats.begin(), formats.end());
  return formats;
}

}  // namespace layerpipe::session
