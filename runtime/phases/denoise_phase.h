// The denoise phase on one rank: its stage's part of the schedule of all requests.
#pragma once

#include <functional>

#include "runtime/observe/metrics.h"
#include "runtime/phases/encode_phase.h"
#include "runtime/phases/run_context.h"

namespace layerpipe::runtime {

// Takes all requests that have not failed through all their steps, with the transformer's blocks of this
// rank, which are loaded, and whose modulation is made. Connects the stages unless they are. On rank 0 sets
// init_latents, latents and step_seconds of their states. Calls `before_each` before each instruction of the
// schedule. Adds what it did to the run's trace, and what it took to `metrics`.
void denoise_requests(RunContext& run, const PromptList& prompts, const std::function<void()>& before_each,
                      RankMetrics& metrics);

}  // namespace layerpipe::runtime
