// How long a schedule takes, computed from how long its parts take: what a plan predicts, and where the idle
// time of a pipeline comes from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/schedule/schedule.h"

namespace layerpipe::runtime {

// Seconds of one stage's instructions.
struct StageSeconds {
  double forward = 0;       // one microbatch
  double join = 0;          // last stage
  double send = 0;          // a boundary, from its handing over to its arrival
  double send_latents = 0;  // last stage
};

struct Simulation {
  double seconds = 0;                // until every stage is done
  std::vector<double> busy_seconds;  // by stage: in kForward and kJoin
  std::vector<double> wait_seconds;  // by stage: at kReceive, kReceiveLatents or behind a full channel
};

// Runs the lists of schedule_denoising() with these times. Sending takes no time of the stage itself; an edge
// carries one message after another; a stage waits before it has more than `depth` boundaries on their way,
// and at most `depth` are received before they are taken. Throws InternalError when the lists would stand
// still for ever.
Simulation simulate(std::span<const std::vector<Instruction>> lists, std::span<const StageSeconds> seconds,
                    std::int64_t depth);

}  // namespace layerpipe::runtime
