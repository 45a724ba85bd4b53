// run.json: everything that made a picture, beside the picture.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "runtime/engine.h"

namespace layerpipe::runtime {

// An option as it took effect, and where it came from: "command line" or "default".
struct OptionRecord {
  std::string name;
  std::string value;
  std::string source;
};

struct RunReport {
  std::string version;  // of layerpipe
  std::string command;  // "decompose"
  std::vector<OptionRecord> options;
  std::string device;  // as LibTorch calls it: "cpu", "cuda:0"
  std::string dtype;
  std::string picture;  // the input file
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::uint64_t seed = 0;
  PhaseSeconds phase_seconds;  // of the run up to this result, all requests together
  std::vector<double> step_seconds;
  std::vector<std::string> files;  // written, relative to the report
};

// Writes the report as indented JSON. Throws OutputError.
void write_report(const std::filesystem::path& path, const RunReport& report);

}  // namespace layerpipe::runtime
