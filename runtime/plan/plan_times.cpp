#include "runtime/plan/plan_times.h"

#include <algorithm>
#include <vector>

#include "common/errors.h"
#include "runtime/schedule/simulator.h"

namespace layerpipe::runtime {
namespace {

using partition::ChainCost;
using partition::DeviceInfo;
using partition::StagePlan;

const DeviceInfo& device_of(const StagePlan& stage, std::span<const DeviceInfo> devices) {
  const auto found = std::find_if(devices.begin(), devices.end(),
                                  [&](const DeviceInfo& device) { return device.rank == stage.rank; });
  common::ensure(found != devices.end(), "a plan has a rank without a device");
  return *found;
}

// One pass of one microbatch through a stage's units.
double operations(const ChainCost& chain, const common::Range& range) {
  if (range.size() == 0) return 0;
  double sum = chain.every.operations;
  for (std::int64_t unit = range.begin; unit < range.end; ++unit)
    sum += chain.units[static_cast<std::size_t>(unit)].operations;
  if (range.begin == 0) sum += chain.first.operations;
  if (range.end == static_cast<std::int64_t>(chain.units.size())) sum += chain.last.operations;
  return sum;
}

// Of denoising alone.
std::vector<StageSeconds> stage_seconds(const partition::Plan& plan, const partition::ModelCost& cost,
                                        std::span<const DeviceInfo> devices) {
  std::vector<StageSeconds> seconds;
  for (const StagePlan& stage : plan.stages) {
    const DeviceInfo& device = device_of(stage, devices);
    const double link = device.link_bytes_per_second;
    seconds.push_back({.forward = operations(cost.transformer, stage.blocks) / device.operations_per_second,
                       .send = link > 0 ? static_cast<double>(cost.transformer.boundary_bytes) / link : 0});
  }
  return seconds;
}

Simulation simulate_requests(const std::vector<StageSeconds>& seconds, const partition::Workload& workload,
                             std::int64_t requests, std::int64_t in_flight) {
  const RequestWork one{.steps = static_cast<std::int32_t>(workload.steps),
                        .branches = static_cast<std::int32_t>(workload.branches)};
  const DenoiseWork work{.stages = static_cast<std::int64_t>(seconds.size()),
                         .in_flight = in_flight,
                         .requests = std::vector<RequestWork>(static_cast<std::size_t>(requests), one)};
  return simulate(schedule_denoising(work), seconds, 1);
}

// Prompts go from stage to stage, strips to all stages at once; each picture has its own.
double other_phases(const partition::Plan& plan, const partition::ModelCost& cost,
                    std::span<const DeviceInfo> devices, const partition::Workload& workload) {
  double prompt = 0;
  double picture = 0;
  for (const StagePlan& stage : plan.stages) {
    const double speed = device_of(stage, devices).operations_per_second;
    prompt += operations(cost.text_encoder, stage.text_layers) / speed;
    const double share = stage.vae_percent / 100;
    picture = std::max(picture, share * (cost.vae.encode_operations + cost.vae.decode_operations) / speed);
  }
  return static_cast<double>(workload.branches) * prompt + static_cast<double>(workload.requests) * picture;
}

}  // namespace

void predict_times(partition::Plan& plan, const partition::ModelCost& cost,
                   std::span<const DeviceInfo> devices, const partition::Workload& workload) {
  for (const StagePlan& stage : plan.stages) {
    if (device_of(stage, devices).operations_per_second <= 0) return;
  }
  const std::vector<StageSeconds> seconds = stage_seconds(plan, cost, devices);
  const double alone = simulate_requests(seconds, workload, 1, 1).seconds;
  const Simulation all = simulate_requests(seconds, workload, workload.requests, plan.in_flight);
  plan.predicted_step_seconds = alone / static_cast<double>(workload.steps);
  plan.predicted_seconds = all.seconds + other_phases(plan, cost, devices, workload);
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    plan.stages[i].predicted_busy_share = all.seconds > 0 ? all.busy_seconds[i] / all.seconds : 0;
}

}  // namespace layerpipe::runtime
