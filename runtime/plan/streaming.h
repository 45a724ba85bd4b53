// What passes through the devices time and again, and what that asks of a machine.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "partition/cost.h"
#include "partition/device_info.h"
#include "partition/plan.h"

namespace layerpipe::runtime {

// How long all units of a stage that stream take to come once; 0 where none does; none: unknown.
struct StreamSeconds {
  std::optional<double> blocks;
  std::optional<double> text_layers;
};

// Sets every stage's bytes per step, the speed of the bus that it needs and its slowdown, of denoising with
// as many requests in the pipeline as the plan has at a time: what shares a pass shares its bytes. Adds a
// remark for each host whose memory does not hold copies of the files, to a plan that fits. Gives the seconds
// of each stage: its bytes by the speed of loading; where the memory of its host does not hold copies of
// their files (HostPlan::cache_fits), no less than what the host's ranks read together by the speed of its
// disk.
std::vector<StreamSeconds> predict_streaming(partition::Plan& plan, const partition::ModelCost& cost,
                                             std::span<const partition::DeviceInfo> devices,
                                             const partition::Workload& workload);

}  // namespace layerpipe::runtime
