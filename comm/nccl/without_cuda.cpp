#include "comm/nccl/nccl_channel.h"
#include "common/errors.h"

namespace layerpipe::comm {
namespace {

[[noreturn]] void refuse() {
  throw common::InputError("this layerpipe was built without NCCL",
                           "Build it where a CUDA toolkit is (launch/build.sh), or choose the channel mpi.");
}

}  // namespace

bool nccl_is_built() {
  return false;
}

std::unique_ptr<SendChannel> open_nccl_send(Link, int, const ChannelOptions&) {
  refuse();
}

std::unique_ptr<ReceiveChannel> open_nccl_receive(Link, int, const ChannelOptions&) {
  refuse();
}

}  // namespace layerpipe::comm
