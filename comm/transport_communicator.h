// The communicator of every back end: built on a transport, over all of its ranks.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "comm/heartbeat.h"
#include "comm/member_communicator.h"

namespace layerpipe::comm {

class TransportCommunicator : public MemberCommunicator {
 public:
  // `folder`: of ranks that are processes, where keepers tell of those that died.
  TransportCommunicator(std::shared_ptr<Transport> transport, std::chrono::milliseconds timeout,
                        std::optional<RankFolder> folder = {});
  ~TransportCommunicator() override;

  // Called by all ranks before anything else: tells them each other's hosts.
  void exchange_hosts(const std::string& mine);
  // Or, where all ranks are threads of one process, without asking.
  void set_host_of_all(const std::string& host);

 private:
  std::unique_ptr<Heartbeat> heartbeat_;
};

}  // namespace layerpipe::comm
