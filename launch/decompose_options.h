// The options of `layerpipe decompose`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launch/formats.h"
#include "launch/work_options.h"
#include "runtime/config/run_config.h"
#include "runtime/report.h"

namespace CLI {
class App;
}

namespace layerpipe::launch {

// Defaults are those of the command-line contract.
struct DecomposeOptions {
  std::filesystem::path model;
  std::vector<std::filesystem::path> images;
  std::filesystem::path out;
  std::string prompt;
  std::string negative_prompt = " ";
  bool no_cfg = false;
  WorkOptions work;
  double cfg_scale = 4.0;
  bool cfg_normalize = false;
  std::int64_t num_images = 1;
  std::uint64_t seed = 777;
  std::string seed_device = "cpu";
  std::vector<Format> formats{Format::kPng};  // in the order of kFormats
  EmptyLayers empty_layers = EmptyLayers::kKeep;
  std::string device = "auto";
  bool random_weights = false;
  std::optional<std::filesystem::path> init_latents;
  std::optional<std::filesystem::path> dump_latents;
  bool original_size = false;
  std::optional<std::filesystem::path> trace;
  bool quiet = false;
  runtime::RunConfig run_config;  // of --partition and the options that stand above it
};

// Adds the options to a CLI11 command.
void add_decompose_options(CLI::App& command);

// Reads the options of a parsed command. Throws InputError naming the option.
DecomposeOptions read_decompose_options(const CLI::App& command);

// Every option of a parsed command with its value and where that came from: the command line, the config file
// or the default. Behind them what only the file can give, by its keys.
std::vector<runtime::OptionRecord> record_options(const CLI::App& command,
                                                  const runtime::RunConfig& run_config);

}  // namespace layerpipe::launch
