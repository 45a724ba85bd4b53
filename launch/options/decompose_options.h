// The options of `layerpipe decompose`.
#pragma once

#include <vector>

#include "results/report.h"
#include "session/decompose_options.h"

namespace CLI {
class App;
}

namespace layerpipe::launch {

// Adds the options to a CLI11 command.
void add_decompose_options(CLI::App& command);

struct Decompose {
  session::DecomposeOptions options;
  // Every option with its value and where that came from: the command line, the config file or the default.
  // Behind them what only the file can give, by its keys.
  std::vector<results::OptionRecord> records;
};

// Reads the options of a parsed command. Throws InputError naming the option.
Decompose read_decompose_options(const CLI::App& command);

}  // namespace layerpipe::launch
