#include "runtime/run_plan.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "common/errors.h"
#include "runtime/calibration.h"
#include "runtime/encode_phase.h"
#include "runtime/memory.h"
#include "runtime/request_state.h"

namespace layerpipe::runtime {
namespace {

// What a rank tells of its device: numbers, then its name.
struct DeviceNumbers {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  double operations_per_second = 0;
};

std::vector<std::byte> write(const DeviceNumbers& numbers, const std::string& name) {
  std::vector<std::byte> bytes(sizeof numbers + name.size());
  std::memcpy(bytes.data(), &numbers, sizeof numbers);
  if (!name.empty()) std::memcpy(bytes.data() + sizeof numbers, name.data(), name.size());
  return bytes;
}

}  // namespace

CostWorkload cost_workload_of(std::span<const Request> requests, const ModelFolder& model,
                              const DeviceFacts& device, at::ScalarType dtype) {
  common::ensure(!requests.empty(), "a plan needs a request");
  const auto tokens = [&](const Request& request) { return grid_of(request, model.config()).image_tokens(); };
  const Request& largest =
      *std::max_element(requests.begin(), requests.end(),
                        [&](const Request& a, const Request& b) { return tokens(a) < tokens(b); });
  std::int64_t prompt_tokens = 1;
  for (const auto& lengths : list_prompts(requests, model).prompt_lengths)
    prompt_tokens = std::max({prompt_tokens, lengths[0], lengths[1]});
  return {.picture = {largest.picture.size(1), largest.picture.size(0)},
          .layers = largest.layers,
          .prompt_tokens = prompt_tokens,
          .branches = workload_of(requests).branches,
          .device = device.device,
          .dtype = dtype,
          .threads = at::get_num_threads()};
}

partition::Workload workload_of(std::span<const Request> requests) {
  partition::Workload workload{
      .requests = static_cast<std::int64_t>(requests.size()), .steps = 1, .branches = 1};
  for (const Request& request : requests) {
    workload.steps = std::max(workload.steps, request.steps);
    workload.branches = std::max<std::int64_t>(workload.branches, branches_of(request));
  }
  return workload;
}

std::vector<partition::DeviceInfo> gather_devices(comm::Communicator& communicator, const DeviceFacts& device,
                                                  at::ScalarType dtype, int ranks_on_host,
                                                  std::uint64_t context_bytes) {
  const MemoryUse memory = memory_use(device.device);
  DeviceNumbers mine{.total_bytes = memory.total,
                     .free_bytes = memory.free,
                     .operations_per_second = measure_operations_per_second(device.device, dtype)};
  if (device.device.is_cpu()) {
    mine.free_bytes /= static_cast<std::uint64_t>(ranks_on_host);
  } else {
    // The context that has been made by now counts as part of what is planned.
    mine.free_bytes = std::min(memory.total, memory.free + context_bytes);
  }
  const auto all = communicator.all_gather(write(mine, device.name), "gathering the devices");
  std::vector<partition::DeviceInfo> devices;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    DeviceNumbers numbers;
    common::ensure(all[rank].size() >= sizeof numbers, "a rank told less than its device's memory");
    std::memcpy(&numbers, all[rank].data(), sizeof numbers);
    devices.push_back({.rank = static_cast<int>(rank),
                       .host = communicator.host(static_cast<int>(rank)),
                       .name = std::string(reinterpret_cast<const char*>(all[rank].data()) + sizeof numbers,
                                           all[rank].size() - sizeof numbers),
                       .total_bytes = numbers.total_bytes,
                       .free_bytes = numbers.free_bytes,
                       .operations_per_second = numbers.operations_per_second});
  }
  return devices;
}

}  // namespace layerpipe::runtime
