// The results of a finished run, from its folder.
#pragma once

#include <atomic>
#include <filesystem>
#include <vector>

#include "results/documents.h"

namespace layerpipe::results {

struct FinishedResult {
  std::filesystem::path folder;
  std::filesystem::path number;  // "0" where the run has several results, empty where it has one
};

// How many files layer_0.png, layer_1.png … a folder has, whoever put them there. `spoken` is what messages
// call it ("--in OUT"). Throws InputError when it cannot be read, or one of them is missing below another.
std::size_t count_layer_files(const std::filesystem::path& folder, const std::string& spoken);

// The folders of the results of `run`, which `option` gave: the folder itself when it has a run.json, or
// those called 0, 1 and so on, as many as the first one's run.json tells: those of an earlier run may lie
// behind them. Throws InputError when there is none, or one of the numbered ones is not finished.
std::vector<FinishedResult> result_folders(const std::filesystem::path& run,
                                           const std::string& option = "--in");

// Reads run.json and, once each, every layer, to know that they can be read and which are empty: those that
// run.json lists, and in front of them those that somebody has put beside them. Layers get colours in what
// cannot be seen, as decompose writes them. Reading stops with InterruptedError once
// `stop_requested`, which must outlive the result. Throws InputError naming the file when one is missing,
// damaged or of another size than the report says, or when a layer that was added has not the next number.
LayeredResult read_result(const std::filesystem::path& folder, const std::atomic<bool>& stop_requested);

}  // namespace layerpipe::results
