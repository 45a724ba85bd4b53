#include "launch/options/format_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/errors.h"
#include "launch/options/option_values.h"

namespace layerpipe::launch {

void read_formats(const OptionValues& values, const std::string& option,
                  std::span<const results::Format> known, std::vector<results::Format>& formats) {
  if (!values.given(option)) return;
  const std::string cure =
      fmt::format("Take {}, or several with commas between them.", results::list_of(known));
  std::string text;
  values.read_text(option, text);
  std::vector<results::Format> asked_for;
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
    if (contains(asked_for, *format)) {
      throw common::InputError(fmt::format("{} names {} twice", option, word), cure);
    }
    asked_for.push_back(*format);
  }
  std::sort(asked_for.begin(), asked_for.end());
  formats = std::move(asked_for);
}

}  // namespace layerpipe::launch
