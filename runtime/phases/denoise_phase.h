// The denoise phase on one rank: its stage's part of the schedule of all requests.
#pragma once

#include <functional>

#include "runtime/observe/metrics.h"
#include "runtime/phases/encode_phase.h"
#include "runtime/phases/run_context.h"

namespace layerpipe::runtime {

struct DenoiseOptions {
  int run = 0;  // of the communicator: LinkOptions
  comm::ChannelKind channel = comm::ChannelKind::kHost;
  std::function<void()> before_each;  // instruction of the schedule
};

// Takes all requests that have not failed through all their steps, with the transformer's blocks of this
// rank, which are loaded. On rank 0 sets init_latents, latents and step_seconds of their states. Adds what it
// did to the run's trace, and what it took to `figures`.
void denoise_requests(RunContext& run, const PromptList& prompts, const DenoiseOptions& options,
                      RankMetrics& figures);

}  // namespace layerpipe::runtime
