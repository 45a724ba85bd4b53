#include "runtime/phases/run_context.h"

#include "runtime/device/memory.h"

namespace layerpipe::runtime {

void RunContext::now_doing(const std::string& what) {
  communicator.now_doing("stage " + std::to_string(part.stage) + ": " + what);
}

void RunContext::load(partition::Network network) {
  const double start = common::now();
  now_doing("load weights");
  const bool is_new =
      networks.load(network, [&](partition::Network which, std::uint64_t done, std::uint64_t total) {
        communicator.report_progress();
        progress.loaded(which, done, total);
      });
  if (!is_new) return;
  wait_for(device);
  const double end = common::now();
  load_seconds += end - start;
  trace.add_phase("load weights", start, end);
}

void RunContext::make_modulation() {
  const double start = common::now();
  now_doing("make the modulation table");
  const auto moved = [&] { communicator.report_progress(); };
  const auto told = [&](partition::Network, std::uint64_t done, std::uint64_t total) {
    moved();
    progress.prepared(done, total);
  };
  const bool is_new = networks.make_modulation(timesteps_of(requests, model.config()),
                                               timesteps_of(later, model.config()), told, moved);
  if (!is_new) return;
  wait_for(device);
  release_unused(device);  // what the weights that have passed leave
  const double end = common::now();
  load_seconds += end - start;
  trace.add_phase("make the modulation table", start, end);
}

}  // namespace layerpipe::runtime
