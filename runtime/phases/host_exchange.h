// Tensors that go from rank to rank outside of the ring, a few times in a run: prompts, pictures, layers.
#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <map>
#include <memory>

#include "comm/communicator.h"

namespace layerpipe::runtime {

// Messages arrive in order between each two ranks. A rank may write to itself. Called by one thread.
class HostExchange {
 public:
  HostExchange(comm::Communicator& communicator, int channel)
      : communicator_(communicator), channel_(channel) {}

  // Comes back while the boundary travels, unless many are under way; its tensors are moved to host memory.
  void send(int to, comm::Boundary boundary);
  // The next from that rank, in host memory. Throws PeerFailedError when it is not of that request (or
  // prompt, or picture: whatever its header's number stands for).
  comm::Boundary receive(int from, std::int64_t request);
  // Waits until everything has left.
  void flush();

 private:
  comm::ChannelOptions options() const;
  comm::Boundary receive_next(int from);

  comm::Communicator& communicator_;
  int channel_;
  std::map<int, std::unique_ptr<comm::SendChannel>> outgoing_;
  std::map<int, std::unique_ptr<comm::ReceiveChannel>> incoming_;
  std::deque<comm::Boundary> to_itself_;
};

}  // namespace layerpipe::runtime
