// A channel through host memory, over a transport: the description first, then the bytes of each tensor.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "comm/channel.h"
#include "comm/communicator.h"
#include "comm/staging.h"
#include "comm/transport_communicator.h"

namespace layerpipe::comm {

// Throws InternalError for options that make no sense.
void check_options(const ChannelOptions& options);

class HostSendChannel : public SendChannel {
 public:
  HostSendChannel(Link link, int to, const ChannelOptions& options);
  void send(Boundary boundary) override;
  void flush() override;
  ChannelMetrics metrics() const override;

 private:
  struct State;
  Link link_;
  const int to_;
  const ChannelOptions options_;
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
  const std::shared_ptr<State> state_;  // shared with what is under way
  ChannelMetrics metrics_;
};

}  // namespace layerpipe::comm
