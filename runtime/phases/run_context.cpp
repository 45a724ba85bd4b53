#include "runtime/phases/run_context.h"

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

}  // namespace layerpipe::runtime
