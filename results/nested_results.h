// Results that were made from a layer of another one: how people take a layer apart again.
#pragma once

#include <atomic>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "results/finished_run.h"

namespace layerpipe::results {

// A result that is to be exported, with its folder.
struct OpenedResult {
  FinishedResult from;
  LayeredResult result;
};

// Puts the results in each folder of `nests`, as --nest gives them, in the place of the layer that they were
// made from: a layer of one of `results`, or of another nested result. That is the layer whose picture, at
// the size that the model saw, has the hash that their run.json tells, whatever the files are called now.
// Gives a sentence for each. Throws InputError for a folder that is no finished run, for a result that was
// made from no such layer, and for a second one of the same layer; and what read_result throws.
std::vector<std::string> nest_results(std::span<OpenedResult> results,
                                      std::span<const std::filesystem::path> nests,
                                      const std::atomic<bool>& stop_requested);

}  // namespace layerpipe::results
