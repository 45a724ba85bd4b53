#include "launch/options/option_values.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "common/errors.h"
#include "common/spelling.h"
#include "common/units.h"
#include "session/option_text.h"

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

CLI::Option* declare(CLI::App& command, const std::string& group, const std::string& name,
                     const std::string& value, const std::string& description) {
  return command.add_option(name, CLI::callback_t(), description)
      ->type_name(value)
      ->group(group)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

bool looks_like_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && word != "--";
}

}  // namespace

void AddedOption::default_text(const std::string& text) const {
  option_.default_str(text);
}

void add_footer(CLI::App& command, const std::string& text) {
  command.footer(text);
}

AddedOption OptionGroup::add(const std::string& name, const std::string& value,
                             const std::string& description) const {
  return AddedOption(*declare(command_, group_, name, value, description));
}

AddedOption OptionGroup::add_list(const std::string& name, const std::string& value,
                                  const std::string& description) const {
  return AddedOption(*declare(command_, group_, name, value, description)->expected(1, kMostValues));
}

AddedOption OptionGroup::add_flag(const std::string& name, const std::string& description) const {
  return AddedOption(*command_.add_flag(name, description)
                          ->group(group_)
                          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll));
}

std::string see_help(const std::string& command) {
  return "See " + command + " --help.";
}

OptionValues::OptionValues(const CLI::App& command, std::string name)
    : command_(command), name_(std::move(name)) {
  check_values();
  check_rest();
}

std::string OptionValues::remedy() const {
  return see_help(name_);
}

void OptionValues::refuse(const std::string& what) const {
  throw common::InputError(what, remedy());
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

bool OptionValues::has(const std::string& option) const {
  return command_.get_option_no_throw(option) != nullptr;
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

std::vector<std::string> OptionValues::texts(const std::string& option) const {
  return command_.get_option(option)->results();
}

void OptionValues::read_text(const std::string& option, std::string& text) const {
  if (given(option)) text = session::read_text({option, texts(option).front(), remedy()});
}

void OptionValues::read_path(const std::string& option, std::filesystem::path& path) const {
  if (given(option)) path = session::read_path({option, texts(option).front(), remedy()});
}

void OptionValues::read_choice(const std::string& option, std::string& choice,
                               const std::vector<std::string>& choices) const {
  if (given(option)) choice = session::read_choice({option, texts(option).front(), remedy()}, choices);
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
