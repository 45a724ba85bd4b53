// Timing for as long as a GPU needs to reach the clocks that its power allows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "bench/support.h"

namespace layerpipe::bench {

// What the driver says of a GPU while it works; means over the time that was timed.
struct GpuState {
  double sm_mhz = 0;
  double watts = 0;
};

struct Sustained {
  Timing timing;                // of the calls of the second half
  std::int64_t calls = 0;       // of the second half
  std::optional<GpuState> gpu;  // nothing on a CPU, and without NVIDIA's management library
};

// Calls `run` for at least so many seconds, each time from an idle device to an idle device, and twice in any
// case. Warming up is the first half.
Sustained time_sustained(const at::Device& device, double seconds, const std::function<void()>& run);

// {"calls": …, "sm_mhz": …, "watts": …}; the last two where they are known.
nlohmann::ordered_json state_json(const Sustained& sustained);

}  // namespace layerpipe::bench
