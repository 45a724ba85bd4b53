// The values of a parsed command, and what is said when one of them is none: messages of our own, the same
// whatever CLI11's version. CLI11 splits the command line into options and texts; everything behind that is
// here and in session/option_text.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace layerpipe::launch {

// An option that was declared. CLI11 itself is seen by few sources: it costs seconds in each.
class AddedOption {
 public:
  explicit AddedOption(CLI::Option& option) : option_(option) {}
  // What the help says of an option that is not given.
  void default_text(const std::string& text) const;

 private:
  CLI::Option& option_;
};

// Ends a command's help, with an example.
void add_footer(CLI::App& command, const std::string& text);

// Declares options of one group of a command, as texts.
class OptionGroup {
 public:
  OptionGroup(CLI::App& command, std::string group) : command_(command), group_(std::move(group)) {}

  // An option that takes one value; `value` is what the help calls it.
  AddedOption add(const std::string& name, const std::string& value, const std::string& description) const;
  // One that takes several values, or is given several times.
  AddedOption add_list(const std::string& name, const std::string& value,
                       const std::string& description) const;
  AddedOption add_flag(const std::string& name, const std::string& description) const;

 private:
  CLI::App& command_;
  std::string group_;
};

// Reads the options of a command that was parsed. Every function throws InputError naming the option; those
// that fill something leave it alone when the option was not given.
class OptionValues {
 public:
  // `command` is called "layerpipe decompose" in messages. Refuses options that there are not, words that
  // belong to none, options without their value, and those given too often.
  OptionValues(const CLI::App& command, std::string name);

  // Whether the command takes such an option.
  bool has(const std::string& option) const;
  bool given(const std::string& option) const;
  // Refuses a command line without one of these.
  void require(const std::vector<std::string>& options) const;

  void read_text(const std::string& option, std::string& text) const;  // UTF-8, may be empty
  void read_path(const std::string& option, std::filesystem::path& path) const;
  void read_choice(const std::string& option, std::string& choice,
                   const std::vector<std::string>& choices) const;
  // What was given for it, word by word; of a flag "true".
  std::vector<std::string> texts(const std::string& option) const;
  // "12GiB", "120s": common/units.h.
  void read_size(const std::string& option, std::optional<std::uint64_t>& bytes, std::uint64_t least,
                 std::uint64_t most) const;
  void read_duration(const std::string& option, std::optional<std::chrono::milliseconds>& duration,
                     std::chrono::milliseconds least, std::chrono::milliseconds most) const;

  // "See layerpipe decompose --help.", for what is said of a value elsewhere.
  std::string remedy() const;

 private:
  void check_values() const;
  void check_rest() const;
  const std::string& single(const std::string& option) const;  // given and not empty
  [[noreturn]] void refuse(const std::string& what) const;

  const CLI::App& command_;
  std::string name_;
};

// "See layerpipe decompose --help."
std::string see_help(const std::string& command);

}  // namespace layerpipe::launch
