// The file of --trace: what every rank did when. https://ui.perfetto.dev opens it.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "runtime/observe/trace.h"

namespace layerpipe::results {

// How a rank is called in the picture: "rank 1 on node-a, cuda:1, blocks 20-39".
struct TracedRank {
  std::string name;
  runtime::Trace trace;
};

// Chrome's trace format: a process for each rank, in the order of stages, a thread for each row, colours by
// request and branch, arrows from each send to what is computed with it. `run_id` is that of run.json
// (RunMetrics). Throws OutputError.
void write_trace(const std::filesystem::path& file, std::span<const TracedRank> ranks,
                 const std::string& run_id);

}  // namespace layerpipe::results
