// What `layerpipe decompose` was asked for, as a value.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "results/output_options.h"
#include "runtime/config/run_config.h"

namespace layerpipe::session {

// How much is to be made. Defaults are those of the command-line contract.
struct WorkOptions {
  std::int64_t layers = 4;
  std::int64_t resolution = 640;
  bool any_resolution = false;
  std::int64_t steps = 50;
};

// Defaults are those of the command-line contract.
struct DecomposeOptions {
  std::filesystem::path model;
  std::vector<std::filesystem::path> images;
  std::string prompt;
  std::string negative_prompt = " ";
  bool no_cfg = false;
  WorkOptions work;
  double cfg_scale = 4.0;
  bool cfg_normalize = false;
  std::int64_t num_images = 1;
  std::uint64_t seed = 777;
  std::string seed_device = "cpu";
  std::string device = "auto";
  bool random_weights = false;
  std::optional<std::filesystem::path> init_latents;
  bool original_size = false;
  bool quiet = false;
  results::OutputOptions output;
  runtime::RunConfig run_config;  // of --partition and the options that stand above it
};

}  // namespace layerpipe::session
