#include "launch/options/option_values.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/errors.h"
#include "common/spelling.h"
#include "common/units.h"
#include "common/utf8.h"

namespace layerpipe::launch {
namespace {

// Enough for a command line, and few enough that CLI11 does not take "[a]" for a list with one entry.
constexpr int kMostValues = 100000;

bool is_flag(const CLI::Option& option) {
  return option.get_items_expected_max() == 0;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// "--steps" of "--steps=4"
std::string name_in(const std::string& word) {
  return word.substr(0, word.find('='));
}

bool looks_like_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && word != "--";
}

bool is_whole_number(const std::string& text) {
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  return text.size() > sign && text.find_first_not_of("0123456789", sign) == std::string::npos;
}

}  // namespace

CLI::Option* OptionGroup::add(const std::string& name, const std::string& value,
                              const std::string& description) const {
  return command_.add_option(name, CLI::callback_t(), description)
      ->type_name(value)
      ->group(group_)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option* OptionGroup::add_list(const std::string& name, const std::string& value,
                                   const std::string& description) const {
  return add(name, value, description)->expected(1, kMostValues);
}

CLI::Option* OptionGroup::add_flag(const std::string& name, const std::string& description) const {
  return command_.add_flag(name, description)
      ->group(group_)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::string see_help(const std::string& command) {
  return "See " + command + " --help.";
}

OptionValues::OptionValues(const CLI::App& command, std::string name)
    : command_(command), name_(std::move(name)) {
  check_values();
  check_rest();
}

void OptionValues::refuse(const std::string& what) const {
  throw common::InputError(what, see_help(name_));
}

void OptionValues::check_values() const {
  const std::vector<std::string> names = option_names(command_);
  for (const CLI::Option* option : command_.get_options()) {
    for (const std::string& value : option->results()) {
      if (is_flag(*option)) {
        if (value != "true") refuse(fmt::format("{} takes no value", option->get_name()));
      } else if (std::find(names.begin(), names.end(), name_in(value)) != names.end()) {
        refuse(fmt::format("{} has no value: {} follows it", option->get_name(), name_in(value)));
      }
    }
  }
  for (const CLI::Option* option : command_.get_options()) {
    if (option->count() > 1 && option->get_items_expected_max() == 1) {
      refuse(fmt::format("{} is given {} times", option->get_name(), option->count()));
    }
  }
}

// What CLI11 could not place.
void OptionValues::check_rest() const {
  const std::vector<std::string> rest = command_.remaining();
  if (rest.empty()) return;
  const std::string name = name_in(rest.front());
  if (looks_like_option(name)) {
    const auto guess = common::nearest(name, option_names(command_));
    refuse(fmt::format("{} is not an option of {}{}", name, name_,
                       guess ? "; did you mean " + *guess + "?" : std::string()));
  }
  throw common::InputError(fmt::format("\"{}\" belongs to no option of {}", rest.front(), name_),
                           "Put a text of several words into quotes. " + see_help(name_));
}

bool OptionValues::given(const std::string& option) const {
  return command_.count(option) > 0;
}

void OptionValues::require(const std::vector<std::string>& options) const {
  std::vector<std::string> missing;
  std::copy_if(options.begin(), options.end(), std::back_inserter(missing),
               [&](const std::string& option) { return !given(option); });
  if (missing.empty()) return;
  refuse(fmt::format("{} {} missing", fmt::join(missing, ", "), missing.size() == 1 ? "is" : "are"));
}

const std::string& OptionValues::single(const std::string& option) const {
  const std::string& value = command_.get_option(option)->results().front();
  if (value.empty()) refuse(option + " is empty");
  return value;
}

void OptionValues::read_text(const std::string& option, std::string& text) const {
  if (!given(option)) return;
  text = command_.get_option(option)->results().front();
  if (const auto offset = common::first_invalid_utf8(text)) {
    throw common::InputError(fmt::format("{} is not UTF-8: byte 0x{:02X} at offset {}", option,
                                         static_cast<unsigned char>(text[*offset]), *offset),
                             "Write it in UTF-8: \"locale charmap\" says what this terminal writes.");
  }
}

void OptionValues::read_path(const std::string& option, std::filesystem::path& path) const {
  if (given(option)) path = single(option);
}

void OptionValues::read_paths(const std::string& option, std::vector<std::filesystem::path>& paths) const {
  for (const std::string& value : command_.get_option(option)->results()) {
    if (value.empty()) refuse(option + " is empty");
    paths.emplace_back(value);
  }
}

void OptionValues::read_choice(const std::string& option, std::string& choice,
                               const std::vector<std::string>& choices) const {
  if (!given(option)) return;
  const std::string& value = single(option);
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    throw common::InputError(fmt::format("{} {} is not known", option, value),
                             fmt::format("Take {}.", fmt::join(choices, " or ")));
  }
  choice = value;
}

void OptionValues::read_number(const std::string& option, double& number, double least, double most) const {
  if (!given(option)) return;
  const std::string& text = single(option);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size() || std::isnan(value)) {
    refuse(fmt::format("{} {} is not a number", option, text));
  }
  if (error == std::errc::result_out_of_range || value < least || value > most) {
    refuse(fmt::format("{} {} is out of range: {} to {}", option, text, least, most));
  }
  number = value;
}

template <typename T>
void OptionValues::read_integer(const std::string& option, T& number, T least, T most) const {
  if (!given(option)) return;
  const std::string& text = single(option);
  if (!is_whole_number(text)) refuse(fmt::format("{} {} is not a whole number", option, text));
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < least || value > most) {
    refuse(fmt::format("{} {} is out of range: {} to {}", option, text, least, most));
  }
  number = value;
}

void OptionValues::read_whole_number(const std::string& option, std::int64_t& number, std::int64_t least,
                                     std::int64_t most) const {
  read_integer(option, number, least, most);
}

void OptionValues::read_whole_number(const std::string& option, std::uint64_t& number, std::uint64_t least,
                                     std::uint64_t most) const {
  read_integer(option, number, least, most);
}

void OptionValues::read_size(const std::string& option, std::optional<std::uint64_t>& bytes,
                             std::uint64_t least, std::uint64_t most) const {
  if (!given(option)) return;
  const std::string& text = single(option);
  const std::string cure = fmt::format("Give {}.", common::kSizeForm);
  const auto value = common::parse_bytes(text);
  if (!value) throw common::InputError(fmt::format("{} {} is not a size", option, text), cure);
  if (*value < least || *value > most) {
    throw common::InputError(
        fmt::format("{} {} is out of range: {}MiB to {}GiB", option, text, least >> 20, most >> 30), cure);
  }
  bytes = value;
}

void OptionValues::read_duration(const std::string& option,
                                 std::optional<std::chrono::milliseconds>& duration,
                                 std::chrono::milliseconds least, std::chrono::milliseconds most) const {
  if (!given(option)) return;
  const std::string& text = single(option);
  const std::string cure = fmt::format("Give {}.", common::kDurationForm);
  const auto value = common::parse_duration(text);
  if (!value) throw common::InputError(fmt::format("{} {} is not a duration", option, text), cure);
  if (*value < least || *value > most) {
    throw common::InputError(
        fmt::format("{} {} is out of range: {}ms to {}s", option, text, least.count(), most.count() / 1000),
        cure);
  }
  duration = value;
}

}  // namespace layerpipe::launch
