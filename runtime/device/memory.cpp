#include "runtime/device/memory.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <malloc.h>

#include <fstream>
#include <string>

#include "common/host_memory.h"

namespace layerpipe::runtime {
namespace {

constexpr std::size_t kAllSizes = 0;  // of LibTorch's statistics: the sum over its pools

// The line "<key>:   123 kB" of a file of the kernel, in bytes; 0 when there is none.
std::uint64_t read_kibibytes(const char* file, const std::string& key) {
  std::ifstream in(file);
  std::string word;
  while (in >> word) {
    if (word == key + ":") {
      std::uint64_t value = 0;
      in >> value;
      return value << 10;
    }
    in.ignore(1024, '\n');
  }
  return 0;
}

MemoryUse use_of_machine() {
  const common::MemoryPool pool = common::memory_left();
  return {.total = pool.total,
          .free = pool.free,
          .in_use = read_kibibytes("/proc/self/status", "VmRSS"),
          .peak = read_kibibytes("/proc/self/status", "VmHWM"),
          .cgroup = pool.cgroup};
}

// LibTorch knows nothing of a GPU's memory before it has begun to use the GPU.
void begin_to_use(const at::Device& device) {
  at::globalContext().lazyInitDevice(device.type());
}

}  // namespace

MemoryUse memory_use(const at::Device& device) {
  if (device.is_cpu()) return use_of_machine();
  begin_to_use(device);
  const auto [free, total] = at::accelerator::getMemoryInfo(device.index());
  const auto stats = at::accelerator::getDeviceStats(device.index());
  const auto reserved = static_cast<std::uint64_t>(stats.reserved_bytes[kAllSizes].current);
  const auto allocated = static_cast<std::uint64_t>(stats.allocated_bytes[kAllSizes].current);
  return {.total = total,
          .free = free + (reserved - allocated),
          .in_use = reserved,
          .peak = static_cast<std::uint64_t>(stats.reserved_bytes[kAllSizes].peak),
          .cgroup = {}};
}

void reset_peak(const at::Device& device) {
  if (device.is_cpu()) {
    std::ofstream("/proc/self/clear_refs") << "5";  // proc(5): resets VmHWM
  } else {
    begin_to_use(device);
    at::accelerator::resetPeakStats(device.index());
  }
}

void release_unused(const at::Device& device) {
  if (device.is_cpu()) {
    ::malloc_trim(/*pad=*/0);
  } else {
    at::accelerator::emptyCache();
  }
}

}  // namespace layerpipe::runtime
