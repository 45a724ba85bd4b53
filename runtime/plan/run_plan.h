// The plan of a run: what it costs, what devices the ranks have, how it is split.
#pragma once

#include <span>
#include <vector>

#include "comm/communicator.h"
#include "partition/cost.h"
#include "partition/device_info.h"
#include "runtime/device/device.h"
#include "runtime/networks/model_folder.h"
#include "runtime/plan/cost.h"
#include "runtime/request/request.h"

namespace layerpipe::runtime {

// Of the request that takes most memory, with the longest prompt of all, and for the CPU that takes most: as
// many threads as any rank has, and without bf16 where one rank has none. So all ranks make the same plan.
// Called by all ranks.
CostWorkload cost_workload_of(std::span<const Request> requests, const ModelFolder& model,
                              const DeviceFacts& device, at::ScalarType dtype,
                              comm::Communicator& communicator);

// Of LibTorch on the CPU, on the rank that has most. Called by all ranks.
std::int64_t most_threads(comm::Communicator& communicator);

// `dtype` is the compute dtype.
partition::Workload workload_of(std::span<const Request> requests, const model::ModelConfig& model,
                                at::ScalarType dtype);

// What every rank says of its device (device_survey.h), by rank, and measures of it (calibration.h). Of a
// CPU's memory a rank has its part (host_share.h). Called by all ranks, whose devices are of one kind.
std::vector<partition::DeviceInfo> gather_devices(comm::Communicator& communicator, const DeviceFacts& device,
                                                  const model::ModelConfig& config,
                                                  const CostWorkload& workload);

}  // namespace layerpipe::runtime
