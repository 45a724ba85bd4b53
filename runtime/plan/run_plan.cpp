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
#include "runtime/device/disk_speed.h"
#include "runtime/device/host_share.h"
#include "runtime/device/memory.h"
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
  writer.number(device.host_free_bytes);
  writer.text(device.host_memory_limit);
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
  device.host_free_bytes = reader.number<std::uint64_t>();
  device.host_memory_limit = reader.text();
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

// How fast weights come, in bytes per second; 0: unknown.
struct StreamingSpeeds {
  double load = 0;  // from the host's memory
  double disk = 0;  // to it
};

std::vector<std::byte> write(const StreamingSpeeds& speeds) {
  comm::WireWriter writer;
  writer.number(speeds.load);
  writer.number(speeds.disk);
  return writer.take();
}

StreamingSpeeds read_speeds(std::span<const std::byte> bytes) {
  comm::WireReader reader(bytes);
  StreamingSpeeds speeds;
  speeds.load = reader.number<double>();
  speeds.disk = reader.number<double>();
  reader.end();
  return speeds;
}

const partition::HostPlan& host_of(const partition::Plan& plan, std::size_t rank) {
  const auto found = std::ranges::find_if(plan.hosts, [&](const partition::HostPlan& host) {
    return std::ranges::find(host.ranks, static_cast<int>(rank)) != host.ranks.end();
  });
  common::ensure(found != plan.hosts.end(), "a plan has a rank without a host");
  return *found;
}

// What this rank may have of its device at the moment: of a CPU's memory its part.
std::uint64_t free_now(const at::Device& device, const partition::Plan& plan, std::size_t rank) {
  const std::uint64_t free = memory_use(device).free;
  return device.is_cpu() ? free / host_of(plan, rank).ranks.size() : free;
}

// A tensor that lies in the transformer's largest file, or in one of the largest.
constexpr const char* kLargeWeight = "transformer_blocks.0.attn.to_q.weight";

std::int64_t most_branches(std::span<const Request> requests) {
  std::int64_t branches = 1;
  for (const Request& request : requests) branches = std::max<std::int64_t>(branches, branches_of(request));
  return branches;
}

// As WeightStore chooses it.
BlockProduct product_of_blocks(const ModelFolder& model, const CostWorkload& workload) {
  const auto source = model.source(partition::Network::kTransformer, workload.linears);
  if (!source->is_quantised()) return std::nullopt;
  const model::TransformerConfig& config = model.config().transformer;
  const std::int64_t dim = config.inner_dim();
  // Of the blocks that are quantised first of all.
  const std::string weight =
      "transformer_blocks." + std::to_string(config.num_layers / 2) + ".attn.to_q.weight";
  const auto form = source->quantised_form(weight, {dim, dim});
  const bool in_fp8 = form && form->fastest == model::ops::Product::kFp8 &&
                      source->product() == model::ops::Product::kFp8 &&
                      model::ops::has_fp8_products(workload.device);
  return in_fp8 ? model::ops::Product::kFp8 : model::ops::Product::kWeightOnly;
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
                                                  const ModelFolder& model, const CostWorkload& workload) {
  partition::DeviceInfo mine = survey(device, communicator.rank());
  if (device.device.is_cpu()) share_memory(communicator, mine);
  communicator.now_doing("measuring the devices' speeds");
  communicator.barrier("measuring speeds");  // at the same time, as they will work
  // By the threads that this rank has; `workload` counts those of the rank with most.
  mine.operations_per_second = measure_operations_per_second(
      model.config().transformer, transformer_tokens(model.config(), workload),
      {device.device, workload.dtype, std::int64_t{at::get_num_threads()}},
      product_of_blocks(model, workload), mine.free_bytes, [&] { communicator.report_progress(); });
  std::vector<partition::DeviceInfo> devices;
  for (const auto& bytes : communicator.all_gather(write(mine), "gathering the devices")) {
    partition::DeviceInfo& told = devices.emplace_back(read(bytes));
    told.rank = static_cast<int>(devices.size()) - 1;
    told.host = communicator.host(told.rank);
    told.is_cpu = mine.is_cpu;
  }
  return devices;
}

void measure_streaming(comm::Communicator& communicator, const DeviceFacts& device, const ModelFolder& model,
                       const partition::Plan& plan, std::vector<partition::DeviceInfo>& devices) {
  const auto rank = static_cast<std::size_t>(communicator.rank());
  StreamingSpeeds mine{devices.at(rank).load_bytes_per_second, devices[rank].disk_bytes_per_second};
  communicator.now_doing("measuring how fast weights come");
  communicator.barrier("measuring how fast weights come");  // at the same time, as they will
  const auto report_progress = [&] { communicator.report_progress(); };
  if (mine.load == 0)
    mine.load =
        measure_load_bytes_per_second(device.device, free_now(device.device, plan, rank), report_progress);
  communicator.barrier("measuring the disks' speeds");
  const model::TensorSource& source = *model.source(partition::Network::kTransformer);
  const partition::HostPlan& host = host_of(plan, rank);
  const bool is_first_of_host = *std::ranges::min_element(host.ranks) == communicator.rank();
  if (mine.disk == 0 && is_first_of_host && !host.cache_fits() && source.reads_files())
    mine.disk = measure_disk_bytes_per_second(source.where(kLargeWeight), report_progress);
  const auto told = communicator.all_gather(write(mine), "gathering how fast weights come");
  for (std::size_t i = 0; i < devices.size(); ++i)
    devices[i].load_bytes_per_second = read_speeds(told[i]).load;
  for (const partition::HostPlan& one : plan.hosts) {
    const auto first = static_cast<std::size_t>(*std::ranges::min_element(one.ranks));
    for (const int of_host : one.ranks)
      devices[static_cast<std::size_t>(of_host)].disk_bytes_per_second = read_speeds(told[first]).disk;
  }
}

}  // namespace layerpipe::runtime
