#include "runtime/plan/windows.h"

#include "partition/window_size.h"

namespace layerpipe::runtime {

std::vector<common::Range> windows_of(const partition::Plan& plan, std::int64_t requests) {
  const std::int64_t size =
      partition::window_size(plan.residency, plan.in_flight, static_cast<std::int64_t>(plan.stages.size()));
  // As even as they go: a last window of one request would load weights for that one alone.
  const std::int64_t count = (requests + size - 1) / size;
  std::vector<common::Range> windows;
  for (std::int64_t i = 0; i < count; ++i)
    windows.push_back({requests * i / count, requests * (i + 1) / count});
  return windows;
}

}  // namespace layerpipe::runtime
