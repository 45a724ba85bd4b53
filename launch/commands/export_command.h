// `layerpipe export`: documents from a finished run.
#pragma once

#include <atomic>
#include <filesystem>
#include <vector>

#include "results/formats.h"

namespace CLI {
class App;
}

namespace layerpipe::launch {

struct ExportOptions {
  std::filesystem::path in;
  std::filesystem::path out;  // --in unless it is given
  std::vector<results::Format> formats;
  results::EmptyLayers empty_layers = results::EmptyLayers::kKeep;
};

void add_export_options(CLI::App& command);

// Throws InputError naming the option.
ExportOptions read_export_options(const CLI::App& command);

// Writes the documents of each result to --out, or to --out/0, --out/1 and so on where the run has several:
// the same bytes as decompose would have written, while the picture is where the run found it, seen from
// here; without it the HTML page lacks the original, which is said. Where they lie beside a run.json that is
// the result's own, it lists them afterwards. Says on stderr what it wrote. All of a result is read before
// something of it is written. Throws InputError and OutputError; InterruptedError once `stop_requested`.
void run_export(const ExportOptions& options, const std::atomic<bool>& stop_requested);

}  // namespace layerpipe::launch
