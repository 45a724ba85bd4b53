#include "bench/support.h"

#include <ATen/DeviceAccelerator.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

namespace layerpipe::bench {
namespace {

constexpr std::size_t kAllSizes = 0;  // of LibTorch's statistics: the sum over small and large blocks

}  // namespace

Timing time_calls(const at::Device& device, std::int64_t repeat, const std::function<void()>& run) {
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < repeat; ++i) {
    wait_for(device);
    const auto start = std::chrono::steady_clock::now();
    run();
    wait_for(device);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  return {seconds.front(), seconds[seconds.size() / 2], seconds.back()};
}

void wait_for(const at::Device& device) {
  if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.index());
}

std::int64_t allocated_bytes(const at::Device& device) {
  if (device.is_cpu()) return 0;
  return at::accelerator::getDeviceStats(device.index()).allocated_bytes[kAllSizes].current;
}

std::int64_t peak_bytes(const at::Device& device) {
  if (device.is_cpu()) return 0;
  return at::accelerator::getDeviceStats(device.index()).allocated_bytes[kAllSizes].peak;
}

void reset_peak(const at::Device& device) {
  if (!device.is_cpu()) at::accelerator::resetPeakStats(device.index());
}

double to_gib(std::int64_t bytes) {
  return static_cast<double>(bytes) / static_cast<double>(1 << 30);
}

at::Device device_of(const std::string& name) {
  return name == "cpu" ? at::Device(at::kCPU) : at::Device(at::kCUDA, 0);
}

at::ScalarType dtype_of(const std::string& name) {
  return name == "bf16" ? at::kBFloat16 : at::kFloat;
}

nlohmann::ordered_json to_json(const Timing& timing) {
  return {{"min", timing.min}, {"median", timing.median}, {"max", timing.max}};
}

}  // namespace layerpipe::bench
