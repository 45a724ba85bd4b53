#include "bench/other_build.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/errors.h"

namespace layerpipe::bench {
namespace {

namespace fs = std::filesystem;

struct Output {
  std::string text;
  int exit_code = 0;
};

std::string quoted(const std::string& word) {
  std::string text;
  text.push_back('\'');
  for (const char c : word) {
    if (c == '\'') text.append("'\\'");
    text.push_back(c);
  }
  text.push_back('\'');
  return text;
}

Output output_of(const fs::path& program, const std::vector<std::string>& arguments) {
  std::string line = quoted(program.string());
  for (const std::string& word : arguments) line.append(1, ' ').append(quoted(word));
  const auto close = [](std::FILE* pipe) { ::pclose(pipe); };
  std::unique_ptr<std::FILE, decltype(close)> pipe(::popen(line.c_str(), "r"), close);
  common::ensure(pipe != nullptr, "a benchmark could not be started");
  Output output;
  std::array<char, 4096> part{};
  while (const std::size_t count = std::fread(part.data(), 1, part.size(), pipe.get()))
    output.text.append(part.data(), count);
  const int status = ::pclose(pipe.release());
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  return output;
}

struct Build {
  std::string name;
  fs::path program;
  bool knows_seconds = true;
  std::vector<double> medians;
};

}  // namespace

int compare_builds(const std::string& program, const fs::path& against,
                   const std::vector<std::string>& arguments, std::int64_t seconds, std::int64_t rounds) {
  std::array<Build, 2> builds{Build{.name = "this build", .program = fs::read_symlink("/proc/self/exe")},
                              Build{.name = against.string(), .program = against / program}};
  Build& other = builds[1];
  if (!fs::is_regular_file(other.program)) {
    throw common::InputError("there is no program " + other.program.string(),
                             "Name the folder of another build, which holds its benchmarks.");
  }
  other.knows_seconds = output_of(other.program, {"--help"}).text.find("--seconds") != std::string::npos;
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (Build& build : builds) {
      std::vector<std::string> words = arguments;
      words.emplace_back("--json");
      if (build.knows_seconds) {
        words.insert(words.end(), {"--seconds", std::to_string(seconds)});
      } else {
        const double calls = std::ceil(static_cast<double>(seconds) / builds[0].medians.back());
        words.insert(words.end(),
                     {"--repeat", std::to_string(std::max<std::int64_t>(1, std::llround(calls)))});
      }
      const Output output = output_of(build.program, words);
      if (output.exit_code != 0) return output.exit_code;
      const auto json = nlohmann::json::parse(output.text);
      build.medians.push_back(json.at("seconds").at("median"));
      const auto state = json.contains("watts")
                             ? fmt::format(", {:.0f} MHz, {:.0f} W", json.at("sm_mhz").get<double>(),
                                           json.at("watts").get<double>())
                             : std::string();
      fmt::print("{}: {:.4f} s{}\n", build.name, build.medians.back(), state);
      std::fflush(stdout);
    }
  }
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  fmt::print("{:.4f} of the seconds of {}\n", mean(builds[0].medians) / mean(other.medians), other.name);
  return 0;
}

}  // namespace layerpipe::bench
