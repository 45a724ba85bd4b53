// How long a plan will take, where the speeds of all its devices are known.
#pragma once

#include <span>

#include "partition/cost.h"
#include "partition/device_info.h"
#include "partition/plan.h"

namespace layerpipe::runtime {

// Window after window (windows.h). Sets what streaming asks for (streaming.h), the plan's predicted seconds
// and every stage's busy share, from the operations of its units and the simulator, which runs the lists that
// the phases execute; leaves them unknown when some device's speed is. Of transfers, those of denoising count
// where a link's speed is known. All pictures are taken to have one prompt (and one negative one). Loading is
// not counted: it depends on disks.
void predict_times(partition::Plan& plan, const partition::ModelCost& cost,
                   std::span<const partition::DeviceInfo> devices, const partition::Workload& workload);

}  // namespace layerpipe::runtime
