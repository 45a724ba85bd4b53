// `layerpipe rerun`: makes the picture of a run.json again, and says whether the bits agree.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <ostream>
#include <string>

#include "comm/communicator.h"

namespace CLI {
class App;
}

namespace layerpipe::launch {

struct RerunOptions {
  std::filesystem::path run;    // run.json
  std::filesystem::path model;  // empty: where it was
  std::filesystem::path image;  // empty: where it was
  std::string device;           // empty: of the kind that it was
  std::chrono::milliseconds timeout{120000};
  bool quiet = false;
};

void add_rerun_options(CLI::App& command);
// Throws InputError naming the option.
RerunOptions read_rerun_options(const CLI::App& command);

// Runs on every rank of `communicator`, which need not be as many as they were; rank 0 alone reads run.json
// and the picture. Says before the work what has changed since, and writes to `out` whether the layers have
// the same bits: where they have not, by how much they differ from the PNG files beside run.json. Writes no
// file. Throws InputError when a layer differs, and the errors of session::make_results (session/session.h).
void run_rerun(const RerunOptions& options, comm::Communicator& communicator,
               const std::atomic<bool>& stop_requested, std::ostream& out, std::string& doing);

}  // namespace layerpipe::launch
