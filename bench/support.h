// What the benchmarks share: the clock, the memory, the numbers in their output.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace layerpipe::bench {

// Wall seconds of several calls.
struct Timing {
  double min = 0;
  double median = 0;
  double max = 0;
};

// Calls `run` `repeat` times, each from an idle device to an idle device. Warming up is the caller's.
Timing time_calls(const at::Device& device, std::int64_t repeat, const std::function<void()>& run);

// Waits until the device has done all that it was given.
void wait_for(const at::Device& device);

// What LibTorch's allocator has given out on a GPU, in bytes: now, and at most since reset_peak(). 0 on a
// CPU.
std::int64_t allocated_bytes(const at::Device& device);
std::int64_t peak_bytes(const at::Device& device);
void reset_peak(const at::Device& device);

double to_gib(std::int64_t bytes);

// Runs a benchmark, which gives its exit code. What it throws becomes a sentence on stderr with what to do,
// and an exit code as layerpipe has them: 2 when something is missing, 3 when memory is.
int guarded(const char* name, const std::function<int()>& run);

// Throws InputError without GPU `index` that LibTorch can use.
void require_gpu(int index = 0);

// "cpu" or "cuda", and "bf16" or "fp32", as the options say it. Without a GPU, "cuda" is an
// InputError.
at::Device device_of(const std::string& name);
at::ScalarType dtype_of(const std::string& name);

nlohmann::ordered_json to_json(const Timing& timing);

}  // namespace layerpipe::bench
