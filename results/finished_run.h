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

// The folders of the results of `run`: the folder itself when it has a run.json, or those called 0, 1 and so
// on, as many as the first one's run.json tells: those of an earlier run may lie behind them. Throws
// InputError when there is none, or one of the numbered ones is not finished.
std::vector<FinishedResult> result_folders(const std::filesystem::path& run);

// Reads run.json and, once each, every layer, to know that they can be read and which are empty. Layers get
// colours in what cannot be seen, as decompose writes them. Reading stops with InterruptedError once
// `stop_requested`, which must outlive the result. Throws InputError naming the file when one is missing,
// damaged or of another size than the report says.
LayeredResult read_result(const std::filesystem::path& folder, const std::atomic<bool>& stop_requested);

}  // namespace layerpipe::results
