// Executes a stage's list of instructions: what the schedule orders, a stage does.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "comm/communicator.h"
#include "partition/topology.h"
#include "runtime/schedule/schedule.h"

namespace layerpipe::runtime {

// What a stage computes. The real one is DenoiseStage; tests have stages that sleep.
//
// A microbatch whose action is kSkip goes through the pipeline like the others, but is not computed:
// forward() and join() see it and pass it on.
class StageWork {
 public:
  virtual ~StageWork() = default;
  // The microbatches of a pass through the stage. microbatches[i] belongs to pass[i]: it is what was
  // received, which holds no tensors on the first stage, and becomes what the next stage gets. The last stage
  // keeps the results until join(), and leaves boundaries that nobody reads.
  virtual void forward(std::span<const Instruction> pass, std::span<comm::Boundary> microbatches) = 0;
  // Last stage: the step's latents.
  virtual comm::Boundary join(const Instruction& instruction) = 0;
  // First stage: the step's latents are there.
  virtual void take_latents(const Instruction& instruction, comm::Boundary latents) = 0;
};

// The ends of a stage's channels; those that a stage has no use for are empty. A pipeline of one stage has
// none at all: its latents go from hand to hand.
struct StageLinks {
  std::unique_ptr<comm::ReceiveChannel> from_previous;
  std::unique_ptr<comm::SendChannel> to_next;
  std::unique_ptr<comm::SendChannel> latents_to_first;
  std::unique_ptr<comm::ReceiveChannel> latents_from_last;
};

struct LinkOptions {
  std::int64_t in_flight = 1;  // requests
  comm::ChannelKind kind = comm::ChannelKind::kHost;
  at::Device device = at::kCPU;
};

// Opens this rank's links in the ring of its group. Called on all ranks of the topology.
StageLinks open_links(comm::Communicator& communicator, const partition::Topology& topology,
                      const LinkOptions& options);

// Told about every instruction: before it begins, where throwing ends the run, and after, in seconds of
// steady_clock. Of the forwards of a pass, which are one, it is told with the first.
struct ExecutionListener {
  std::function<void(const Instruction&)> before;
  std::function<void(const Instruction&, double begin, double end)> after;
};

// Runs the list to its end, and waits until all that was sent has left. Throws what `work` and the channels
// throw, and PeerFailedError when a boundary is not the one that the schedule expects.
void execute(std::span<const Instruction> list, StageLinks& links, StageWork& work,
             const ExecutionListener& listener);

}  // namespace layerpipe::runtime
