#include "bench/support.h"

#include <ATen/DeviceAccelerator.h>

#include <c10/util/Exception.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <new>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/errors.h"

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

int guarded(const char* name, const std::function<int()>& run) {
  const auto say = [name](const std::string& what, const std::string& cure) {
    std::fprintf(stderr, "%s: %s\n", name, what.c_str());
    if (!cure.empty()) std::fprintf(stderr, "  %s\n", cure.c_str());
  };
  common::ExitCode code = common::ExitCode::kInternal;
  try {
    return run();
  } catch (const common::Error& error) {
    say(error.what(), error.remedy());
    code = error.exit_code();
  } catch (const c10::OutOfMemoryError&) {
    say("the GPU has not enough memory", "Close other programs, or give smaller sizes.");
    code = common::ExitCode::kDoesNotFit;
  } catch (const std::bad_alloc&) {
    say("the machine has not enough memory", "Close other programs, or give smaller sizes.");
    code = common::ExitCode::kDoesNotFit;
  } catch (const c10::Error& error) {
    say(error.what_without_backtrace(), {});
  } catch (const std::exception& error) {
    say(error.what(), {});
  }
  return static_cast<int>(code);
}

void require_gpu(int index) {
  const bool is_there = at::accelerator::isAccelerator(at::kCUDA) && at::accelerator::deviceCount() > index;
  if (is_there) return;
  if (index > 0)
    throw common::InputError("this needs " + std::to_string(index + 1) + " GPUs, and LibTorch finds fewer",
                             "Check with nvidia-smi, and the environment variable CUDA_VISIBLE_DEVICES.");
  throw common::InputError("this needs a GPU, and LibTorch finds none",
                           "Check with nvidia-smi, and that layerpipe was built with the torch package for "
                           "CUDA; benchmarks that know "
                           "--device also take cpu.");
}

at::Device device_of(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  require_gpu();
  return {at::kCUDA, 0};
}

at::ScalarType dtype_of(const std::string& name) {
  return name == "bf16" ? at::kBFloat16 : at::kFloat;
}

nlohmann::ordered_json to_json(const Timing& timing) {
  return {{"min", timing.min}, {"median", timing.median}, {"max", timing.max}};
}

}  // namespace layerpipe::bench
