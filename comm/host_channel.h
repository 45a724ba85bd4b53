// A channel through host memory, over a transport: the description first, then the bytes of each tensor.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "comm/channel.h"
#include "comm/communicator.h"
#include "comm/member_communicator.h"
#include "comm/staging.h"

namespace layerpipe::comm {

// For both back ends. Tells the receiver that nothing follows the last of so many boundaries.
void send_end_of_channel(const Link& link, int to, int channel, std::uint64_t messages);
// Comes back when `is_there`, called under the monitor's lock, says so. Throws PeerFailedError as
// RankMonitor::wait() does, and when the sender's end, which came at `ended`, is older than the timeout.
void wait_for_boundary(const Link& link, int from, const std::optional<Clock::time_point>& ended,
                       const std::function<bool()>& is_there);

class HostSendChannel : public SendChannel {
 public:
  HostSendChannel(Link link, int to, const ChannelOptions& options);
  ~HostSendChannel() override;
  void send(Boundary boundary) override;
  void flush() override;
  ChannelMetrics metrics() const override;

 private:
  struct State;
  Link link_;
  const int to_;
  const ChannelOptions options_;
  const ChannelNumbers::Token number_;
  const std::shared_ptr<State> state_;  // shared with what is under way
  ChannelMetrics metrics_;
  std::unique_ptr<Staging> staging_;  // its thread uses the above
};

class HostReceiveChannel : public ReceiveChannel {
 public:
  HostReceiveChannel(Link link, int from, const ChannelOptions& options);
  ~HostReceiveChannel() override;
  Boundary receive() override;
  ChannelMetrics metrics() const override { return metrics_; }

 private:
  struct State;
  const ChannelNumbers::Token number_;
  const std::shared_ptr<State> state_;  // shared with what is under way
  ChannelMetrics metrics_;
};

}  // namespace layerpipe::comm
