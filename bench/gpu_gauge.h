// Clocks and power of a GPU while something runs on it, by NVIDIA's management library (NVML), which is
// opened where it is there.
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <optional>

namespace layerpipe::bench {

struct GpuState;

class GpuGauge {
 public:
  explicit GpuGauge(const c10::Device& device);
  GpuGauge(const GpuGauge&) = delete;
  GpuGauge& operator=(const GpuGauge&) = delete;
  ~GpuGauge();

  // Begins to look, ten times a second, in a thread of its own.
  void start();
  // Ends it. The means; nothing where there is nothing to ask.
  std::optional<GpuState> stop();

 private:
  struct Nvml;
  std::unique_ptr<Nvml> nvml_;  // null: there is nothing to ask
};

}  // namespace layerpipe::bench
