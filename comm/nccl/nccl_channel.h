// Channels over NCCL: the edges of the ring between GPUs. A build without CUDA compiles without_cuda.cpp.
#pragma once

#include <memory>

#include "comm/channel.h"
#include "comm/member_communicator.h"

namespace layerpipe::comm {

bool nccl_is_built();

// Throw InputError when this build has no NCCL, or the device is no GPU.
std::unique_ptr<SendChannel> open_nccl_send(Link link, int to, const ChannelOptions& options);
std::unique_ptr<ReceiveChannel> open_nccl_receive(Link link, int from, const ChannelOptions& options);

}  // namespace layerpipe::comm
