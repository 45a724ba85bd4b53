// Channels over NCCL: the ranks of this machine take its GPUs in turn.
#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <cstdlib>

#include "tests/comm/ranks.h"

namespace layerpipe::testing {

comm::ChannelOptions channel_options(int channel, int depth) {
  const char* rank = std::getenv("OMPI_COMM_WORLD_LOCAL_RANK");
  const auto gpu = static_cast<at::DeviceIndex>(rank == nullptr ? 0 : std::atoi(rank));
  at::accelerator::setDeviceIndex(gpu);
  return {.channel = channel,
          .kind = comm::ChannelKind::kNccl,
          .device = at::Device(at::kCUDA, gpu),
          .depth = depth};
}

// Each connects two GPUs.
int reopenings() {
  return 12;
}

std::string why_skipped(int ranks) {
  const int gpus = at::hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
  if (gpus >= ranks) return {};
  return "this machine has " + std::to_string(gpus) + " GPUs; " + std::to_string(ranks) + " are needed";
}

}  // namespace layerpipe::testing
