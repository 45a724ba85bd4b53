// The plan of a run: what it costs, and what devices the ranks have.
#pragma once

#include <span>
#include <vector>

#include "comm/communicator.h"
#include "partition/cost.h"
#include "partition/device_info.h"
#include "partition/plan.h"
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

// What every rank says of its device (device_survey.h), by rank, and how fast it computes (calibration.h). Of
// a CPU's memory a rank has its part (host_share.h). Called by all ranks, whose devices are of one kind.
std::vector<partition::DeviceInfo> gather_devices(comm::Communicator& communicator, const DeviceFacts& device,
                                                  const ModelFolder& model, const CostWorkload& workload);

// Adds what only plans need whose units stream, and which decides nothing but the time that they foretell:
// how fast weights come to each device (calibration.h), and of a host whose memory does not hold copies of
// their files how fast its disk is (disk_speed.h). What is known already is not measured again. `devices` are
// those of gather_devices(). Called by all ranks, for the same plan.
void measure_streaming(comm::Communicator& communicator, const DeviceFacts& device, const ModelFolder& model,
                       const partition::Plan& plan, std::vector<partition::DeviceInfo>& devices);

}  // namespace layerpipe::runtime
