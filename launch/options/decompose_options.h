// The options of `layerpipe decompose`.
#pragma once

#include <string>
#include <vector>

#include "results/output_options.h"
#include "session/job.h"
#include "session/settings.h"

namespace CLI {
class App;
}

namespace layerpipe::launch {

struct DecomposeOptions {
  session::Job job;
  // Its `options` are every option with its value and where that came from: the command line, the config file
  // or the default. Behind them stands what only the file can give, by its keys.
  session::Settings settings;
  results::OutputOptions output;
  bool quiet = false;
};

// Adds the options to a CLI11 command.
void add_decompose_options(CLI::App& command);

// Reads the options of a parsed command. Throws InputError naming the option.
DecomposeOptions read_decompose_options(const CLI::App& command);

// The names of all its options, without their dashes.
std::vector<std::string> decompose_option_names();

}  // namespace layerpipe::launch
