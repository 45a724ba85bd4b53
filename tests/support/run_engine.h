// Runs an engine of one rank and keeps the results.
#pragma once

#include <span>
#include <vector>

#include "runtime/engine.h"
#include "runtime/plan/whole_plan.h"

namespace layerpipe::testing {

inline std::vector<runtime::Result> run_engine(runtime::Engine& engine,
                                               std::span<const runtime::Request> requests,
                                               const runtime::ProgressListener& listener,
                                               const std::atomic<bool>& stop_requested) {
  std::vector<runtime::Result> results;
  engine.run(requests, runtime::whole_plan(engine.model_config()),
             {.progress = listener,
              .result = [&](std::size_t, runtime::Result result) { results.push_back(std::move(result)); },
              .failed = {}},
             stop_requested);
  return results;
}

}  // namespace layerpipe::testing
