// What jobs are made on: the model, the device, who holds what. session/job.h says what is made.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/weights/weight_files.h"
#include "results/run_record.h"
#include "runtime/config/run_config.h"

namespace layerpipe::session {

struct Settings {
  std::filesystem::path model;
  std::string variant;                         // of the weight files; empty: plain ones, or the only ones
  model::ComponentFiles files;                 // of components, in place of the folder's
  bool random_weights = false;                 // in place of the folder's
  std::string device = "auto";                 // or "cuda" or "cpu"
  runtime::RunConfig run_config;               // of --partition and the options that stand above it
  std::optional<std::filesystem::path> trace;  // where every rank's trace is written
  // What was asked for, option by option: run.json tells of it, and the ranks compare it.
  std::vector<results::RecordedOption> options;
};

}  // namespace layerpipe::session
