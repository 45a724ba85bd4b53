// What to change when a model does not fit.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

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

  // With times, where speeds are known.
  partition::Plan plan() const;
};

// A sentence with the first change that makes it fit: weights that come and go, another strategy, no limit, a
// smaller reserve where it takes much of what there is, 640 px, fewer layers, bf16, more devices of the same
// size; and how much memory would do on these. Says so when nothing helps.
std::string fit_advice(const PlanInput& input);

// "rank 2 lacks 1.70 GiB", of the one that lacks most, of a plan that does not fit.
std::string shortage(const partition::Plan& plan);

}  // namespace layerpipe::session
