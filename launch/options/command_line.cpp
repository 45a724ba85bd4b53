#include "launch/options/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <ostream>
#include <sstream>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/spelling.h"
#include "launch/options/option_values.h"

namespace layerpipe::launch {
namespace {

// "--steps N    Denoising steps, 1 to 1000 [default: 50]".
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    const bool is_flag = option->get_items_expected_max() == 0;
    return is_flag ? "" : " " + option->get_type_name();
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    const std::string otherwise = option->get_default_str();
    if (otherwise.empty()) return option->get_description();
    const bool is_blank = otherwise == " ";
    return fmt::format("{} [default: {}]", option->get_description(), is_blank ? "one blank" : otherwise);
  }
};

// CLI11 may not refuse anything itself but a value that is not there: it collects what it does not know, and
// OptionValues says what that is.
class Parser {
 public:
  explicit Parser(std::span<const Command> commands) : commands_(commands) {
    app_.set_version_flag("--version", "layerpipe " LAYERPIPE_VERSION);
    app_.require_subcommand(0, 1);
    app_.formatter(std::make_shared<HelpFormatter>());  // commands that are added later take it over
    app_.allow_extras();
    app_.footer("See layerpipe COMMAND --help for the options of a command.");
    for (const Command& command : commands_)
      command.add_options(*app_.add_subcommand(command.name, command.help));
  }

  PreparedCommand parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success& asked_for) {
      std::ostringstream text;
      app_.exit(asked_for, text, text);
      return {.timeout_of_ranks = {},
              .load = Load::kLight,
              .run = [text = text.str()](const CommandContext& context) { context.out << text; }};
    } catch (const CLI::ParseError& error) {
      refuse(error.what());
    }
    check_words_around_the_command();
    const CLI::App& parsed = *app_.get_subcommands().front();
    const auto command = std::find_if(commands_.begin(), commands_.end(),
                                      [&](const Command& one) { return one.name == parsed.get_name(); });
    return command->read(parsed);
  }

 private:
  // The command that was given, or the program while there is none.
  std::string spoken_name() const {
    const auto given = app_.get_subcommands();
    return given.empty() ? "layerpipe" : "layerpipe " + given.front()->get_name();
  }

  // Only an option at the end of the command line, without its value, comes here; CLI11's text begins with
  // the option's name.
  [[noreturn]] void refuse(const std::string& text) const {
    for (const CLI::App* command : app_.get_subcommands()) {
      for (const CLI::Option* option : command->get_options()) {
        if (!text.starts_with(option->get_name() + ":")) continue;
        throw common::InputError(option->get_name() + " has no value", see_help(spoken_name()));
      }
    }
    throw common::InputError("the command line cannot be read: " + text, see_help(spoken_name()));
  }

  void check_words_around_the_command() const {
    if (app_.get_subcommands().empty()) refuse_without_command();
    const OptionValues checked(app_, "layerpipe");
  }

  [[noreturn]] void refuse_without_command() const {
    std::vector<std::string> names;
    std::string list;
    for (const CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(command->get_name());
      list += fmt::format("{:<10} {}\n  ", command->get_name(), command->get_description());
    }
    const std::vector<std::string> rest = app_.remaining();
    if (rest.empty()) {
      throw common::InputError("a command is missing", list + see_help("layerpipe COMMAND"));
    }
    if (rest.front().starts_with("-")) {
      throw common::InputError("a command is missing before " + rest.front(),
                               list + see_help("layerpipe COMMAND"));
    }
    const auto guess = common::nearest(rest.front(), names);
    throw common::InputError(fmt::format("{} is not a command of layerpipe{}", rest.front(),
                                         guess ? "; did you mean " + *guess + "?" : std::string()),
                             list + see_help("layerpipe COMMAND"));
  }

  CLI::App app_{"Takes a picture apart into RGBA layers with Qwen-Image-Layered.", "layerpipe"};
  std::span<const Command> commands_;
};

}  // namespace

PreparedCommand parse_command_line(int argc, const char* const* argv, std::span<const Command> commands) {
  return Parser(commands).parse(argc, argv);
}

}  // namespace layerpipe::launch
