#include "comm/transport_communicator.h"

#include <numeric>

namespace layerpipe::comm {
namespace {

// How long closed channels have to give back what they took.
constexpr std::chrono::seconds kEnding{5};

Link make_link(std::shared_ptr<Transport> transport, std::chrono::milliseconds timeout) {
  auto monitor = std::make_shared<RankMonitor>(transport->rank(), transport->size(), timeout);
  return {.monitor = std::move(monitor), .transport = std::move(transport)};
}

std::vector<int> all_ranks(int size) {
  std::vector<int> ranks(static_cast<std::size_t>(size));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

}  // namespace

TransportCommunicator::TransportCommunicator(std::shared_ptr<Transport> transport,
                                             std::chrono::milliseconds timeout,
                                             std::optional<RankFolder> folder)
    : MemberCommunicator(make_link(transport, timeout), all_ranks(transport->size()), /*space=*/0),
      heartbeat_(std::make_unique<Heartbeat>(*link().transport, link().monitor, std::move(folder))) {}

TransportCommunicator::~TransportCommunicator() {
  link().monitor->set_done();
  link().monitor->wait_for_all_done();
  // After a failure what has not ended may stand still in NCCL.
  link().closing_threads->join(Clock::now() + (link().monitor->failure() ? Clock::duration(0) : kEnding));
  heartbeat_.reset();
  link().transport->close();
}

void TransportCommunicator::exchange_hosts(const std::string& mine) {
  std::vector<std::string> hosts;
  for (const auto& bytes : all_gather(std::as_bytes(std::span(mine)), "at the start")) {
    hosts.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  link().monitor->set_hosts(std::move(hosts));
}

void TransportCommunicator::set_host_of_all(const std::string& host) {
  link().monitor->set_hosts(std::vector<std::string>(static_cast<std::size_t>(size()), host));
}

}  // namespace layerpipe::comm
