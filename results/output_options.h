// What a run is to leave behind, and where.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "results/formats.h"
#include "results/result_folder.h"

namespace layerpipe::results {

struct OutputOptions {
  std::filesystem::path out;                  // the folder
  std::vector<Format> formats{Format::kPng};  // in the order of kFormats
  EmptyLayers empty_layers = EmptyLayers::kKeep;
  std::optional<std::filesystem::path> dump_latents;
  std::optional<std::filesystem::path> trace;
  std::vector<std::filesystem::path> inputs;  // what the run is made from: results never replace these
  Overwrite overwrite = Overwrite::kRefuse;
};

}  // namespace layerpipe::results
