#include "runtime/device/device_survey.h"

#include <algorithm>

#include "common/host_memory.h"
#include "common/host_name.h"
#include "runtime/device/memory.h"
#include "runtime/device/overhead.h"

namespace layerpipe::runtime {
namespace {

std::string host_name() {
  const std::string name = common::host_name();
  return name.empty() ? "localhost" : name;
}

}  // namespace

partition::DeviceInfo survey(const DeviceFacts& device, int rank) {
  const MemoryUse memory = memory_use(device.device);
  // Asking made a context. A prediction counts one, so that what is added here is what is taken off there,
  // however large a context really is.
  const std::uint64_t free = std::min(memory.free + context_bytes(device.device), memory.total);
  const common::MemoryPool host = common::memory_left();
  return {.rank = rank,
          .host = host_name(),
          .name = device.name,
          .total_bytes = memory.total,
          .free_bytes = free,
          .memory_limit =
              common::limit_text({.id = {}, .cgroup = memory.cgroup, .total = memory.total, .free = free}),
          .is_cpu = device.device.is_cpu(),
          .host_free_bytes = host.free,
          .host_memory_limit = common::limit_text(host)};
}

Survey survey_machine() {
  const std::vector<DeviceFacts> gpus = usable_gpus();
  Survey found;
  for (const DeviceFacts& gpu : gpus)
    found.devices.push_back(survey(gpu, static_cast<int>(found.devices.size())));
  if (!gpus.empty()) {
    found.kind = gpus.front().device;
    return found;
  }
  const DeviceFacts cpu = choose_device(DeviceChoice::kAuto);
  found.devices = {survey(cpu, 0)};
  found.remark = cpu.remark;
  return found;
}

}  // namespace layerpipe::runtime
