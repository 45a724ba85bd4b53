// The options of `layerpipe decompose`.
#pragma once

#include <vector>

#include "results/report.h"
#include "runtime/config/run_config.h"
#include "session/decompose_options.h"

namespace CLI {
class App;
}

namespace layerpipe::launch {

// Adds the options to a CLI11 command.
void add_decompose_options(CLI::App& command);

// Reads the options of a parsed command. Throws InputError naming the option.
session::DecomposeOptions read_decompose_options(const CLI::App& command);

// Every option of a parsed command with its value and where that came from: the command line, the config file
// or the default. Behind them what only the file can give, by its keys.
std::vector<results::OptionRecord> record_options(const CLI::App& command,
                                                  const runtime::RunConfig& run_config);

}  // namespace layerpipe::launch
