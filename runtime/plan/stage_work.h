// What a stage of a plan works on, and with.
#pragma once

#include <span>

#include "common/range.h"
#include "partition/cost.h"
#include "partition/device_info.h"
#include "partition/plan.h"

namespace layerpipe::runtime {

// The one of its rank. Throws InternalError when there is none.
const partition::DeviceInfo& device_of(const partition::StagePlan& stage,
                                       std::span<const partition::DeviceInfo> devices);

// Floating-point operations of one pass of one microbatch through a range of a chain's units.
double operations(const partition::ChainCost& chain, const common::Range& range);

}  // namespace layerpipe::runtime
