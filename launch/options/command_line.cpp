#include "launch/options/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <sstream>

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

// The program's commands. CLI11 may not refuse anything itself but a value that is not there: it collects
// what it does not know, and OptionValues says what that is.
class Parser {
 public:
  Parser() {
    app_.set_version_flag("--version", "layerpipe " LAYERPIPE_VERSION);
    app_.require_subcommand(0, 1);
    app_.formatter(std::make_shared<HelpFormatter>());  // commands that are added later take it over
    app_.allow_extras();
    app_.footer("See layerpipe COMMAND --help for the options of a command.");
    decompose_ = app_.add_subcommand("decompose", "Take a picture apart into layers");
    add_decompose_options(*decompose_);
    plan_ = app_.add_subcommand("plan", "Show who would hold what, and whether it fits");
    add_plan_options(*plan_);
    export_ = app_.add_subcommand("export", "Make documents from the layers of a finished run");
    add_export_options(*export_);
    merge_ = app_.add_subcommand("merge", "Put layers together again, after edits made elsewhere");
    add_merge_options(*merge_);
    inspect_ = app_.add_subcommand("inspect", "Show what a model folder holds");
    report_ = app_.add_subcommand("report", "Show what a run did, as a page");
    add_report_options(*report_);
    rerun_ = app_.add_subcommand("rerun", "Make a picture again, and say whether the bits agree");
    add_rerun_options(*rerun_);
    const OptionGroup needed(*inspect_, "Needed");
    needed.add("--model", "FOLDER", "Model folder in diffusers layout");
    const OptionGroup output(*inspect_, "Output");
    output.add_flag("--json", "Print JSON, with the bytes of every block, instead of a table");
    inspect_->footer("Example:\n  layerpipe inspect --model Qwen-Image-Layered");
  }

  Command parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success& asked_for) {
      std::ostringstream text;
      app_.exit(asked_for, text, text);
      return Information{text.str()};
    } catch (const CLI::ParseError& error) {
      refuse(error.what());
    }
    check_words_around_the_command();
    if (decompose_->parsed()) {
      session::DecomposeOptions options = read_decompose_options(*decompose_);
      std::vector<results::OptionRecord> records = record_options(*decompose_, options.run_config);
      return Decompose{std::move(options), std::move(records)};
    }
    if (plan_->parsed()) return PlanOnly{read_plan_options(*plan_)};
    if (report_->parsed()) return read_report_options(*report_);
    if (rerun_->parsed()) return read_rerun_options(*rerun_);
    if (export_->parsed()) return read_export_options(*export_);
    if (merge_->parsed()) return read_merge_options(*merge_);
    return read_inspect();
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

  Inspect read_inspect() const {
    const OptionValues values(*inspect_, "layerpipe inspect");
    values.require({"--model"});
    Inspect inspect;
    values.read_path("--model", inspect.model);
    if (values.given("--json")) inspect.format = InspectFormat::kJson;
    return inspect;
  }

  CLI::App app_{"Takes a picture apart into RGBA layers with Qwen-Image-Layered.", "layerpipe"};
  CLI::App* decompose_ = nullptr;
  CLI::App* plan_ = nullptr;
  CLI::App* export_ = nullptr;
  CLI::App* merge_ = nullptr;
  CLI::App* inspect_ = nullptr;
  CLI::App* report_ = nullptr;
  CLI::App* rerun_ = nullptr;
};

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  return Parser().parse(argc, argv);
}

}  // namespace layerpipe::launch
