// What to change when a model does not fit.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/size.h"
#include "partition/partitioner.h"
#include "runtime/plan/cost.h"

namespace layerpipe::session {

// Everything that a plan comes from.
struct PlanInput {
  std::function<partition::ModelCost(const runtime::CostWorkload&)> cost_of;
  runtime::CostWorkload workload;
  std::vector<partition::DeviceInfo> devices;
  partition::Workload work;
  partition::PartitionConfig config;
  // What the devices hold already; its stages are kept where they fit (partition::make_next_plan).
  std::optional<partition::Plan> present = std::nullopt;

  // What a picture is worked on at with another --resolution: the largest of those that are to be made.
  std::function<common::Size(std::int64_t resolution)> size_at = [](std::int64_t resolution) {
    return common::Size{resolution, resolution};
  };

  // Who holds what, without times (runtime/plan/plan_times.h). `cost` is that of `workload`.
  partition::Plan split(const partition::ModelCost& cost) const;
};

// A sentence with the first change that makes it fit: weights that come and go, another strategy, a smaller
// reserve where it takes much of what there is, 640 px, fewer layers, bf16, fp8, more devices of the same
// size; and how much memory would do on these as it is: the smallest --memory-limit where one was given and
// they suffice, else what would have to be free. Sizes are rounded up, so that they suffice when tried. Says
// so when nothing helps.
std::string fit_advice(const PlanInput& input);

// "rank 2 lacks 1.70 GiB", of the one that lacks most, of a plan that does not fit.
std::string shortage(const partition::Plan& plan);

}  // namespace layerpipe::session
