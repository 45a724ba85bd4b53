// The devices of this machine, as partition/ wants to know them.
#pragma once

#include <vector>

#include "partition/device_info.h"
#include "runtime/device/device.h"

namespace layerpipe::runtime {

// One rank's device. A GPU's free bytes are those before this process had a context on it.
partition::DeviceInfo survey(const DeviceFacts& device, int rank);

// Every GPU that can be used, a rank each; the CPU, as one rank, when there is none.
struct Survey {
  std::vector<partition::DeviceInfo> devices;
  at::Device kind = at::kCPU;
  std::string remark;  // why a GPU that is there is not used; empty otherwise
};
Survey survey_machine();

}  // namespace layerpipe::runtime
