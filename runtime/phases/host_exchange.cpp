#include "runtime/phases/host_exchange.h"

#include <string>

#include "common/errors.h"

namespace layerpipe::runtime {

comm::ChannelOptions HostExchange::options() const {
  // Deep enough for a chain of all ranks to hold one boundary each (runtime/phases/encode_phase).
  return {.channel = channel_, .depth = communicator_.size() + 1};
}

void HostExchange::send(int to, comm::Boundary boundary) {
  for (comm::NamedTensor& named : boundary.tensors) named.tensor = named.tensor.cpu().contiguous();
  if (to == communicator_.rank()) {
    to_itself_.push_back(std::move(boundary));
    return;
  }
  auto& channel = outgoing_[to];
  if (!channel) channel = communicator_.open_send(to, options());
  channel->send(std::move(boundary));
}

comm::Boundary HostExchange::receive(int from, std::int64_t request) {
  comm::Boundary boundary = receive_next(from);
  if (boundary.header.request == request) return boundary;
  throw common::PeerFailedError("rank " + std::to_string(from) + " sent what belongs to number " +
                                    std::to_string(boundary.header.request) + " where number " +
                                    std::to_string(request) + " was due",
                                "Messages were lost or mixed up: look for errors of the network or of MPI.");
}

comm::Boundary HostExchange::receive_next(int from) {
  if (from == communicator_.rank()) {
    common::ensure(!to_itself_.empty(), "a rank waits for a boundary from itself");
    comm::Boundary boundary = std::move(to_itself_.front());
    to_itself_.pop_front();
    return boundary;
  }
  auto& channel = incoming_[from];
  if (!channel) channel = communicator_.open_receive(from, options());
  return channel->receive();
}

void HostExchange::flush() {
  for (auto& [rank, channel] : outgoing_) channel->flush();
}

}  // namespace layerpipe::runtime
