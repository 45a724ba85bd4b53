#include "runtime/phases/denoise_phase.h"

#include <utility>

#include "common/clock.h"
#include "runtime/phases/denoise_stage.h"

namespace layerpipe::runtime {
namespace {

// "denoise, step 3, request 0, branch 1"
std::string doing(const Instruction& instruction) {
  return "denoise, step " + std::to_string(instruction.step) + ", request " +
         std::to_string(instruction.request) + ", branch " + std::to_string(instruction.branch);
}

// The instruction as messages and the trace number it.
Instruction shifted(Instruction instruction, std::int64_t by) {
  instruction.request += by;
  return instruction;
}

DenoiseWork work_of(const RunContext& run, const partition::Topology& topology) {
  DenoiseWork work{
      .stages = topology.stages(), .in_flight = run.plan.in_flight, .most_in_pass = run.plan.most_in_pass};
  for (const Request& request : run.requests) {
    work.requests.push_back(
        {.steps = static_cast<std::int32_t>(request.steps), .branches = branches_of(request)});
  }
  return work;
}

std::int64_t steps_of(std::span<const Request> requests) {
  std::int64_t steps = 0;
  for (const Request& request : requests) steps += request.steps;
  return steps;
}

// Opened once, and kept from window to window.
StageLinks& links_of(RunContext& run, const partition::Topology& topology) {
  if (run.links) return *run.links;
  run.now_doing("denoise, connecting the stages");
  run.links = run.traced("connect", [&] {
    return open_links(run.communicator, topology,
                      {.in_flight = run.plan.in_flight, .kind = run.channel, .device = run.device});
  });
  return *run.links;
}

// What the edge has carried so far.
EdgeMetrics metrics_of(const StageLinks& links) {
  const comm::SendChannel* edge = links.to_next ? links.to_next.get() : links.latents_to_first.get();
  if (edge == nullptr) return {};
  const comm::ChannelMetrics metrics = edge->metrics();
  return {.messages = metrics.messages, .bytes = metrics.bytes, .wait_seconds = metrics.wait_seconds};
}

// Knows when each request's last step ended.
class StepClock {
 public:
  StepClock(std::size_t requests, double start) : last_(requests, start) {}
  double lap(std::size_t request, double end) { return end - std::exchange(last_[request], end); }

 private:
  std::vector<double> last_;
};

}  // namespace

void denoise_requests(RunContext& run, const PromptList& prompts, const std::function<void()>& before_each,
                      RankMetrics& metrics) {
  run.progress.begin_work(steps_of(run.requests));
  const partition::Topology topology = run.plan.topology();
  const auto lists = schedule_denoising(work_of(run, topology));
  const int rank = run.communicator.rank();
  run.progress.check_stop();
  StageLinks& links = links_of(run, topology);
  const EdgeMetrics before_window = metrics_of(links);
  DenoiseStage work({.model = &run.model.config(),
                     .transformer = &run.networks.transformer(),
                     .modulation = &run.networks.modulation(),
                     .is_first = topology.is_first_stage(rank),
                     .is_last = topology.is_last_stage(rank),
                     .device = run.device,
                     .dtype = run.dtype,
                     .after_block = [&] { run.communicator.report_progress(); },
                     .first_request = run.first_request},
                    run.requests, prompts.prompt_lengths, run.states);
  StepClock steps(run.requests.size(), common::now());
  const auto before = [&](const Instruction& instruction) {
    run.progress.check_stop();
    before_each();
    run.now_doing(doing(shifted(instruction, run.first_request)));
  };
  const auto after = [&](const Instruction& instruction, double begin, double end) {
    metrics.stage.add(instruction, begin, end);
    run.trace.add(shifted(instruction, run.first_request), begin, end);
    if (instruction.operation != Operation::kReceiveLatents) return;
    const auto request = static_cast<std::size_t>(instruction.request);
    run.states[request].result.step_seconds.push_back(steps.lap(request, end));
    run.progress.advance(request);
  };
  execute(lists[static_cast<std::size_t>(topology.place_of(rank).stage)], links, work,
          {.before = before, .after = after});
  metrics.to_next = metrics_of(links) - before_window;
  run.now_doing("denoise, waiting for the other stages");
}

}  // namespace layerpipe::runtime
