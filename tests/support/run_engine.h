// Runs an engine and keeps the results.
#pragma once

#include <span>
#include <vector>

#include "runtime/engine.h"

namespace layerpipe::testing {

inline std::vector<runtime::Result> run_engine(runtime::Engine& engine,
                                               std::span<const runtime::Request> requests,
                                               const runtime::ProgressListener& listener,
                                               const std::atomic<bool>& stop_requested) {
  std::vector<runtime::Result> results;
  engine.run(
      requests, listener, [&](std::size_t, runtime::Result result) { results.push_back(std::move(result)); },
      stop_requested);
  return results;
}

}  // namespace layerpipe::testing
