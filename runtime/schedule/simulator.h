// How long a schedule takes, computed from how long its parts take: what a plan predicts, and where the idle
// time of a pipeline comes from.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/schedule/exchange_schedule.h"
#include "runtime/schedule/schedule.h"

namespace layerpipe::runtime {

// Seconds of one stage's instructions.
struct StageSeconds {
  double forward = 0;       // one microbatch
  double stream = 0;        // the weights that have to come for a pass, beside its forwards
  double join = 0;          // last stage
  double send = 0;          // a boundary, from its handing over to its arrival
  double send_latents = 0;  // last stage
};

struct Simulation {
  double seconds = 0;                // until every stage is done
  std::vector<double> busy_seconds;  // by stage: computing
  std::vector<double> wait_seconds;  // by stage: for what it receives, or behind a full channel
};

// Runs the lists of schedule_denoising() with these times. A pass takes as long as its forwards or as its
// weights, whichever is longer; what comes of these while a stage waits is not counted. Sending takes no time
// of the stage itself; an edge carries one message after another; a stage waits before it has more than
// `depth` boundaries on their way, and at most `depth` are received before they are taken. Throws
// InternalError when the lists would stand still for ever.
Simulation simulate(std::span<const std::vector<Instruction>> lists, std::span<const StageSeconds> seconds,
                    std::int64_t depth);

// What a stage's instruction takes: its computing for kCompute and kFinish; for kDeal and kSend the way to
// the peer, from the handing over to the arrival. It is asked for no others.
using ExchangeSeconds = std::function<double(std::int64_t stage, const ExchangeInstruction& instruction)>;

// Runs lists of runtime/schedule/exchange_schedule with these times. Every two stages have an edge for each
// direction, of the same kind as above; what a stage sends to itself is there at once, however much it is.
Simulation simulate(std::span<const ExchangeList> lists, const ExchangeSeconds& seconds, std::int64_t depth);

}  // namespace layerpipe::runtime
