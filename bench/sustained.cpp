#include "bench/sustained.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/gpu_gauge.h"

namespace layerpipe::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

Sustained time_sustained(const at::Device& device, double seconds, const std::function<void()>& run) {
  GpuGauge gauge(device);
  const auto timed = [&] {
    wait_for(device);
    const auto begin = Clock::now();
    run();
    wait_for(device);
    return seconds_since(begin);
  };
  const auto begin = Clock::now();
  do {
    timed();
  } while (seconds_since(begin) < seconds / 2);
  gauge.start();
  std::vector<double> all;
  do {
    all.push_back(timed());
  } while (seconds_since(begin) < seconds);
  const auto gpu = gauge.stop();
  std::sort(all.begin(), all.end());
  return {.timing = {all.front(), all[all.size() / 2], all.back()},
          .calls = static_cast<std::int64_t>(all.size()),
          .gpu = gpu};
}

nlohmann::ordered_json state_json(const Sustained& sustained) {
  nlohmann::ordered_json json{{"calls", sustained.calls}};
  if (sustained.gpu) {
    json["sm_mhz"] = sustained.gpu->sm_mhz;
    json["watts"] = sustained.gpu->watts;
  }
  return json;
}

}  // namespace layerpipe::bench
