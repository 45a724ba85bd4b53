#include "runtime/plan/streaming.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>

#include "common/units.h"
#include "runtime/plan/stage_work.h"
#include "runtime/schedule/schedule.h"

namespace layerpipe::runtime {
namespace {

using partition::ChainCost;
using partition::DeviceInfo;
using partition::HostPlan;
using partition::ModelCost;
using partition::Plan;
using partition::StagePlan;
using partition::UnitCost;

// Of those units of a range that pass through the device, each once.
std::uint64_t passing_bytes(const ChainCost& chain, const common::Range& units, std::int64_t streamed,
                            std::uint64_t UnitCost::*bytes) {
  std::uint64_t sum = 0;
  for (const std::int64_t unit : partition::passing_of(units, streamed))
    sum += chain.units[static_cast<std::size_t>(unit)].*bytes;
  return sum;
}

std::uint64_t block_bytes(const ModelCost& cost, const StagePlan& stage, std::uint64_t UnitCost::*bytes) {
  return passing_bytes(cost.transformer, stage.blocks, stage.streamed_blocks, bytes);
}
std::uint64_t text_layer_bytes(const ModelCost& cost, const StagePlan& stage,
                               std::uint64_t UnitCost::*bytes) {
  return passing_bytes(cost.text_encoder, stage.text_layers, stage.streamed_text_layers, bytes);
}

const HostPlan* overfull_host(const Plan& plan, const StagePlan& stage) {
  const auto found = std::ranges::find(plan.hosts, stage.host, &HostPlan::host);
  return found == plan.hosts.end() || found->cache_fits() ? nullptr : &*found;
}

// What all stages of a host read in a pass.
template <typename Bytes>
std::uint64_t file_bytes_of_host(const Plan& plan, const ModelCost& cost, const std::string& host,
                                 const Bytes& bytes_of) {
  std::uint64_t sum = 0;
  for (const StagePlan& stage : plan.stages) {
    if (stage.host == host) sum += bytes_of(cost, stage, &UnitCost::file_bytes);
  }
  return sum;
}

template <typename Bytes>
std::optional<double> pass_seconds(const Plan& plan, const ModelCost& cost, const StagePlan& stage,
                                   const DeviceInfo& device, const Bytes& bytes_of) {
  const std::uint64_t moved = bytes_of(cost, stage, &UnitCost::moved_bytes);
  if (moved == 0) return 0;
  std::optional<double> seconds;
  if (device.load_bytes_per_second > 0) seconds = static_cast<double>(moved) / device.load_bytes_per_second;
  const HostPlan* const host = overfull_host(plan, stage);
  if (host == nullptr) return seconds;
  if (device.disk_bytes_per_second <= 0) return std::nullopt;
  const auto read = static_cast<double>(file_bytes_of_host(plan, cost, host->host, bytes_of));
  return std::max(seconds.value_or(0), read / device.disk_bytes_per_second);
}

// The microbatches of each pass through a stage's blocks, while every request in the pipeline takes a step.
struct Round {
  std::int64_t requests = 1;
  std::vector<std::vector<std::int64_t>> passes;  // by stage
};

Round round_of(const Plan& plan, const partition::Workload& workload) {
  Round round;
  round.requests = std::clamp<std::int64_t>(workload.requests, 1, std::max<std::int64_t>(plan.in_flight, 1));
  const RequestWork one{.steps = 1, .branches = static_cast<std::int32_t>(workload.branches)};
  const DenoiseWork work{.stages = static_cast<std::int64_t>(plan.stages.size()),
                         .in_flight = round.requests,
                         .most_in_pass = plan.most_in_pass,
                         .requests = std::vector<RequestWork>(static_cast<std::size_t>(round.requests), one)};
  for (const std::vector<Instruction>& list : schedule_denoising(work)) {
    std::vector<std::int64_t>& passes = round.passes.emplace_back();
    for (const Instruction& instruction : list) {
      if (instruction.operation != Operation::kForward) continue;
      if (instruction.pass == Pass::kOwn) passes.push_back(0);
      ++passes.back();
    }
  }
  return round;
}

// For a step of one request, of so many bytes that come for each pass.
std::uint64_t bytes_per_step(const Round& round, std::size_t stage, std::uint64_t pass_bytes) {
  const auto requests = static_cast<std::uint64_t>(round.requests);
  return (pass_bytes * round.passes[stage].size() + requests - 1) / requests;
}

// How many times as long the passes of a round take when each waits for what has to come for it.
double slowdown_of(const std::vector<std::int64_t>& passes, double forward_seconds, double stream_seconds) {
  double with = 0;
  double without = 0;
  for (const std::int64_t microbatches : passes) {
    const double work = static_cast<double>(microbatches) * forward_seconds;
    with += std::max(work, stream_seconds);
    without += work;
  }
  return without > 0 ? with / without : 1;
}

// The files that do not stay in the memory of a host, and what that means.
std::string remark_on_cache(const HostPlan& host, std::uint64_t bytes_per_step, double disk) {
  const std::string limit = host.memory_limit.empty() ? "" : " (" + host.memory_limit + ")";
  std::string text =
      (host.host.empty() ? "This host" : "Host " + host.host) + " has " +
      common::format_bytes(host.budget_bytes.value_or(0)) + " of memory free" + limit +
      ", of which the program takes " + common::format_bytes(host.predicted_bytes) + ": the " +
      common::format_bytes(host.cache_bytes) +
      " of files whose weights stream do not stay there beside it. The speed of the disk decides";
  if (disk <= 0) return text + ", which is not known.";
  if (bytes_per_step == 0) return text + ", which is " + common::format_rate(disk) + ".";
  const std::chrono::duration<double> step(static_cast<double>(bytes_per_step) / disk);
  return text + "; at " + common::format_rate(disk) + " a step takes " + common::format_duration(step) +
         " at least.";
}

std::vector<StreamSeconds> stream_seconds(const Plan& plan, const ModelCost& cost,
                                          std::span<const DeviceInfo> devices) {
  std::vector<StreamSeconds> seconds;
  for (const StagePlan& stage : plan.stages) {
    const DeviceInfo& device = device_of(stage, devices);
    seconds.push_back({.blocks = pass_seconds(plan, cost, stage, device, block_bytes),
                       .text_layers = pass_seconds(plan, cost, stage, device, text_layer_bytes)});
  }
  return seconds;
}

}  // namespace

std::vector<StreamSeconds> predict_streaming(Plan& plan, const ModelCost& cost,
                                             std::span<const DeviceInfo> devices,
                                             const partition::Workload& workload) {
  const Round round = round_of(plan, workload);
  std::vector<StreamSeconds> seconds = stream_seconds(plan, cost, devices);
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    StagePlan& stage = plan.stages[i];
    const std::uint64_t moved = block_bytes(cost, stage, &UnitCost::moved_bytes);
    stage.bytes_per_step = bytes_per_step(round, i, moved);
    if (moved == 0) {
      stage.bus_bytes_per_second_needed = 0;
      stage.slowdown = 1;
      continue;
    }
    const double speed = device_of(stage, devices).operations_per_second;
    const double forward = speed > 0 ? operations(cost.transformer, stage.blocks) / speed : 0;
    if (forward <= 0) continue;
    const std::int64_t fewest = *std::ranges::min_element(round.passes[i]);
    stage.bus_bytes_per_second_needed = static_cast<double>(moved) / (static_cast<double>(fewest) * forward);
    if (seconds[i].blocks) stage.slowdown = slowdown_of(round.passes[i], forward, *seconds[i].blocks);
  }
  for (const HostPlan& host : plan.hosts) {
    if (!plan.fits || host.cache_fits()) continue;
    std::uint64_t read = 0;
    double disk = 0;
    for (std::size_t i = 0; i < plan.stages.size(); ++i) {
      if (plan.stages[i].host != host.host) continue;
      read += bytes_per_step(round, i, block_bytes(cost, plan.stages[i], &UnitCost::file_bytes));
      disk = device_of(plan.stages[i], devices).disk_bytes_per_second;
    }
    plan.remarks.push_back(remark_on_cache(host, read, disk));
  }
  return seconds;
}

}  // namespace layerpipe::runtime
