// What one rank keeps from window to window: its networks and its ways to the other ranks.
#pragma once

#include <optional>

#include "partition/plan.h"
#include "runtime/networks/network_set.h"
#include "runtime/phases/host_exchange.h"
#include "runtime/schedule/stage_executor.h"

namespace layerpipe::runtime {

// Made for a plan, and used for as long as plans have its layout (partition::same_layout). After a failure it
// goes: boundaries of the broken window may still be under way.
struct StageState {
  partition::Plan plan;
  partition::StagePlan part;  // this rank's
  NetworkSet networks;
  HostExchange exchange;
  std::optional<StageLinks> links;  // from the first denoising on
};

}  // namespace layerpipe::runtime
