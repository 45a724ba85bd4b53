#include "bench/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace layerpipe::bench {
namespace {

constexpr int kWrongUsage = 2;  // as layerpipe itself has it

}  // namespace

struct CommandLine::Parser {
  explicit Parser(const std::string& description) : app(description) {}
  CLI::App app;
};

CommandLine::CommandLine(const std::string& description) : parser_(std::make_unique<Parser>(description)) {}

CommandLine::~CommandLine() = default;

void CommandLine::add(const std::string& name, std::int64_t& number) {
  parser_->app.add_option(name, number)->capture_default_str();
}

void CommandLine::add_positive(const std::string& name, std::int64_t& number) {
  parser_->app.add_option(name, number)->check(CLI::PositiveNumber)->capture_default_str();
}

void CommandLine::add(const std::string& name, std::filesystem::path& path, const std::string& help) {
  parser_->app.add_option(name, path, help)->capture_default_str();
}

void CommandLine::add(const std::string& name, std::string& text, const std::string& help) {
  parser_->app.add_option(name, text, help);
}

void CommandLine::add_flag(const std::string& name, bool& flag, const std::string& help) {
  parser_->app.add_flag(name, flag, help);
}

void CommandLine::add_device(std::string& device) {
  parser_->app.add_option("--device", device)->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
}

void CommandLine::add_dtype(std::string& dtype) {
  parser_->app.add_option("--dtype", dtype)->check(CLI::IsMember({"bf16", "fp32"}))->capture_default_str();
}

void CommandLine::parse(int argc, char** argv) {
  try {
    parser_->app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(parser_->app.exit(error) == 0 ? 0 : kWrongUsage);
  }
}

}  // namespace layerpipe::bench
