// Which stage does what, in which order, while requests are denoised. A pure function of the work: no device,
// no clock, no messages. The same lists are executed (runtime/schedule/stage_executor) and simulated
// (runtime/schedule/simulator).
//
// Microbatches (a request's branches) go round the ring of stages. The first stage makes them from a
// request's latents, the last one joins the branches to new latents and sends these to the first. While a
// request's latents are under way, the stages work on other requests: with two branches, R requests keep S
// stages busy when 2R ≥ S + 1.
//
// Microbatches may share a pass through a stage's blocks: each block works on all of them before the next one
// does. Where blocks stream (model/weights/streamed_blocks.h), a pass is what their weights move once for.
#pragma once

#include <cstdint>
#include <vector>

namespace layerpipe::runtime {

enum class Operation {
  kReceive,         // a boundary from the stage before
  kForward,         // the stage's part of the transformer on one microbatch
  kSend,            // a boundary to the stage behind
  kJoin,            // last stage: guidance over the branches, then the scheduler's step
  kSendLatents,     // last stage: the step's latents to the first stage
  kReceiveLatents,  // first stage: those latents; the request's step is done
};
const char* to_string(Operation operation);

// Which pass through the stage's blocks a forward belongs to.
enum class Pass {
  kOwn,     // it begins one
  kShared,  // that of the forward before it
};

struct Instruction {
  Operation operation;
  std::int64_t request;
  std::int32_t step;
  std::int32_t branch;  // 0: conditional, 1: unconditional; 0 for what concerns all branches
  Pass pass = Pass::kOwn;
  bool operator==(const Instruction&) const = default;
};

// One request to denoise.
struct RequestWork {
  std::int32_t steps = 1;
  std::int32_t branches = 1;  // 2 with guidance
};

struct DenoiseWork {
  std::int64_t stages = 1;
  std::int64_t in_flight = 1;  // requests in the pipeline at a time
  std::int64_t most_in_pass =
      1;  // microbatches that share a pass, at most; a round has a pass for each stage
  std::vector<RequestWork> requests{};
};

// The list of each stage, by stage. Each of `in_flight` places holds a request; within a round
// every one takes a step, and the next request takes the place of one whose last latents are back. The
// latents' edge exists with one stage too: it leads to itself. At most `in_flight` latents are on that edge
// at a time. A round's microbatches fall into at least as many passes as there are stages, if there are so
// many of them, and a request's branches stay together where a pass takes that many. A pass's receives stand
// before its forwards, which stand together, and its sends behind.
std::vector<std::vector<Instruction>> schedule_denoising(const DenoiseWork& work);

}  // namespace layerpipe::runtime
