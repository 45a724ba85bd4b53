#include "runtime/phases/run_context.h"

namespace layerpipe::runtime {

void RunContext::now_doing(const std::string& what) {
  communicator.now_doing("stage " + std::to_string(part.stage) + ": " + what);
}

template <typename Load>
void RunContext::time_loading(const Load& load) {
  const double start = common::now();
  now_doing("load weights");
  load([&](partition::Network network, std::uint64_t done, std::uint64_t total) {
    communicator.report_progress();
    progress.loaded(network, done, total);
  });
  wait_for(device);
  const double end = common::now();
  load_seconds += end - start;
  trace.add_phase("load weights", start, end);
}

void RunContext::load(partition::Network network) {
  time_loading([&](const NetworkSet::LoadListener& listener) { networks.load(network, listener); });
}

void RunContext::load_resident() {
  time_loading([&](const NetworkSet::LoadListener& listener) { networks.load_resident(listener); });
}

}  // namespace layerpipe::runtime
