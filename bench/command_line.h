// The options of a benchmark. CLI11 is behind it: it costs seconds in each source that sees it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace layerpipe::bench {

class CommandLine {
 public:
  explicit CommandLine(const std::string& description);
  ~CommandLine();

  // Options with the present value as their default. What they are read into outlives parse().
  void add(const std::string& name, std::int64_t& number);
  void add_positive(const std::string& name, std::int64_t& number);
  void add(const std::string& name, std::filesystem::path& path, const std::string& help);
  void add(const std::string& name, std::string& text, const std::string& help);
  void add_flag(const std::string& name, bool& flag, const std::string& help = {});
  // --device cpu|cuda, --dtype bf16|fp32.
  void add_device(std::string& device);
  void add_dtype(std::string& dtype);

  // Ends the program after --help, and with 2 and CLI11's words when the command line is wrong.
  void parse(int argc, char** argv);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace layerpipe::bench
