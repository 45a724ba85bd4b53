#include "runtime/plan/run_plan.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "comm/agreement.h"
#include "comm/wire.h"
#include "common/errors.h"
#include "common/host_memory.h"
#include "model/transformer/modulation_table.h"
#include "runtime/device/calibration.h"
#include "runtime/device/device_survey.h"
#include "runtime/device/host_share.h"
#include "runtime/request/prompt_list.h"
#include "runtime/request/request_state.h"

namespace layerpipe::runtime {
namespace {

// What a rank tells of its device; the others know its host.
std::vector<std::byte> write(const partition::DeviceInfo& device) {
  comm::WireWriter writer;
  writer.text(device.name);
  writer.number(device.total_bytes);
  writer.number(device.free_bytes);
  writer.text(device.memory_limit);
  writer.number(device.operations_per_second);
  writer.number(device.load_bytes_per_second);
  return writer.take();
}

partition::DeviceInfo read(std::span<const std::byte> bytes) {
  comm::WireReader reader(bytes);
  partition::DeviceInfo device;
  device.name = reader.text();
  device.total_bytes = reader.number<std::uint64_t>();
  device.free_bytes = reader.number<std::uint64_t>();
  device.memory_limit = reader.text();
  device.operations_per_second = reader.number<double>();
  device.load_bytes_per_second = reader.number<double>();
  reader.end();
  return device;
}

// Leaves this rank its part of what it shares with others.
void share_memory(comm::Communicator& communicator, partition::DeviceInfo& mine) {
  const common::MemoryPool part = memory_share(communicator);
  mine.total_bytes = part.total;
  mine.free_bytes = part.free;
  mine.memory_limit = common::limit_text(part);
}

std::int64_t most_branches(std::span<const Request> requests) {
  std::int64_t branches = 1;
  for (const Request& request : requests) branches = std::max<std::int64_t>(branches, branches_of(request));
  return branches;
}

}  // namespace

std::int64_t most_threads(comm::Communicator& communicator) {
  return comm::greatest(communicator, at::get_num_threads(), "comparing numbers of threads");
}

CostWorkload cost_workload_of(std::span<const Request> requests, const ModelFolder& model,
                              const DeviceFacts& device, at::ScalarType dtype,
                              comm::Communicator& communicator) {
  common::ensure(!requests.empty(), "a plan needs a request");
  const auto tokens = [&](const Request& request) { return grid_of(request, model.config()).image_tokens(); };
  const Request& largest =
      *std::max_element(requests.begin(), requests.end(),
                        [&](const Request& a, const Request& b) { return tokens(a) < tokens(b); });
  std::int64_t prompt_tokens = 1;
  for (const auto& lengths :
       list_prompts(requests, model.tokenizer(), model.config().pipeline).prompt_lengths)
    prompt_tokens = std::max({prompt_tokens, lengths[0], lengths[1]});
  return {
      .picture = {largest.picture.size(1), largest.picture.size(0)},
      .layers = largest.layers,
      .prompt_tokens = prompt_tokens,
      .branches = most_branches(requests),
      .device = device.device,
      .dtype = dtype,
      .threads = most_threads(communicator),
      .cpu_has_bf16 = !on_any_rank(communicator, !model::ops::cpu_has_bf16(), "comparing what CPUs can do")};
}

partition::Workload workload_of(std::span<const Request> requests, const model::ModelConfig& model,
                                at::ScalarType dtype) {
  std::size_t steps = 1;
  const std::vector<model::Schedule> schedules = schedules_of(requests, model);
  for (const model::Schedule& schedule : schedules) steps = std::max(steps, schedule.timesteps.size());
  return {.requests = static_cast<std::int64_t>(requests.size()),
          .steps = static_cast<std::int64_t>(steps),
          .branches = most_branches(requests),
          .schedules = static_cast<std::int64_t>(schedules.size()),
          .timesteps = model::rows_for(timesteps_of(requests, model), dtype)};
}

std::vector<partition::DeviceInfo> gather_devices(comm::Communicator& communicator, const DeviceFacts& device,
                                                  const model::ModelConfig& config,
                                                  const CostWorkload& workload) {
  partition::DeviceInfo mine = survey(device, communicator.rank());
  if (device.device.is_cpu()) share_memory(communicator, mine);
  communicator.now_doing("measuring the devices' speeds");
  communicator.barrier("measuring speeds");  // at the same time, as they will work
  // By the threads that this rank has; `workload` counts those of the rank with most.
  mine.operations_per_second =
      measure_operations_per_second(config.transformer, transformer_tokens(config, workload),
                                    {device.device, workload.dtype, std::int64_t{at::get_num_threads()}},
                                    mine.free_bytes, [&] { communicator.report_progress(); });
  mine.load_bytes_per_second = measure_load_bytes_per_second(device.device, mine.free_bytes);
  std::vector<partition::DeviceInfo> devices;
  for (const auto& bytes : communicator.all_gather(write(mine), "gathering the devices")) {
    partition::DeviceInfo& told = devices.emplace_back(read(bytes));
    told.rank = static_cast<int>(devices.size()) - 1;
    told.host = communicator.host(told.rank);
  }
  return devices;
}

}  // namespace layerpipe::runtime
