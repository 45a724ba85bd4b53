// `layerpipe decompose`: pictures in, folders of layers out.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "results/report.h"
#include "session/decompose_options.h"

namespace layerpipe::launch {

// Runs on every rank of `communicator`; rank 0 reads, writes and says what happens. `records` go into
// run.json. `doing` says at any time what is being done, for messages about a failure
// (session/exit_report.h). Throws the errors of common/errors.h; what was finished before stays.
void run_decompose(const session::DecomposeOptions& options,
                   const std::vector<results::OptionRecord>& records, comm::Communicator& communicator,
                   const std::atomic<bool>& stop_requested, std::string& doing);

}  // namespace layerpipe::launch
