#include "comm/host_channel.h"

#include <array>
#include <chrono>

#include "comm/pieces.h"
#include "comm/tags.h"
#include "common/errors.h"

namespace layerpipe::comm {
namespace {

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::span<std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

// Counts down the messages of one boundary.
struct Countdown {
  std::size_t open;
};

}  // namespace

void check_options(const ChannelOptions& options) {
  common::ensure(options.channel >= 0 && options.channel < kMaxChannels,
                 "a channel's number is out of range");
  common::ensure(options.depth >= 1, "a channel's depth is less than 1");
}

// Guarded by the monitor's lock.
struct HostSendChannel::State {
  int under_way = 0;
};

HostSendChannel::HostSendChannel(Link link, int to, const ChannelOptions& options)
    : link_(std::move(link)),
      to_(to),
      options_(options),
      state_(std::make_shared<State>()),
      staging_(make_staging(options.device)) {}

void HostSendChannel::send(Boundary boundary) {
  auto description = std::make_shared<const std::vector<std::byte>>(
      describe(boundary, static_cast<std::uint64_t>(metrics_.messages)));
  const Clock::time_point begin = Clock::now();
  link_.monitor->wait(to_, "sending a boundary", [&] { return state_->under_way < options_.depth; });
  metrics_.wait_seconds += seconds_since(begin);
  metrics_.messages += 1;
  metrics_.bytes += boundary.bytes();
  link_.monitor->update([&] { ++state_->under_way; });

  const auto post = [link = link_, state = state_, to = to_, channel = options_.channel,
                     description = std::move(description)](Boundary staged, const std::exception_ptr& broke) {
    if (broke != nullptr) return link.monitor->device_failed(broke);
    const auto held = std::make_shared<const Boundary>(std::move(staged));
    // The description and every tensor end one after another, in any order; the last one makes room.
    const auto open = std::make_shared<Countdown>(Countdown{1 + held->tensors.size()});
    const auto ended = [monitor = link.monitor, state, to, held, description,
                        open](std::exception_ptr error) {
      if (error != nullptr) monitor->connection_failed(to, error);
      monitor->update([&] {
        if (--open->open == 0) --state->under_way;
      });
    };
    const LongMessage handlers{.moved = [monitor = link.monitor] { monitor->moved(); }, .ended = ended};
    send_pieces(*link.transport, to, description_tag(channel), *description, handlers);
    for (const auto& [name, tensor] : held->tensors) {
      send_pieces(*link.transport, to, payload_tag(channel), bytes_of(tensor), handlers);
    }
  };
  staging_->to_host(std::move(boundary), post);
}

void HostSendChannel::flush() {
  const Clock::time_point begin = Clock::now();
  link_.monitor->wait(to_, "sending a boundary", [&] { return state_->under_way == 0; });
  metrics_.wait_seconds += seconds_since(begin);
}

ChannelMetrics HostSendChannel::metrics() const {
  return metrics_;
}

// A boundary that is being received.
struct Slot {
  std::array<std::byte, kMaxDescriptionBytes> description;
  Boundary boundary;
  std::size_t open = 0;  // tensors that are still to come
  bool ready = false;
  std::exception_ptr error;  // why there is no memory for it
};

// Completions and the caller share it; `slots` and what is in them are guarded by the monitor's lock, except
// a boundary that is being filled, which belongs to the completions.
struct HostReceiveChannel::State : std::enable_shared_from_this<State> {
  State(Link shared, int peer, const ChannelOptions& given)
      : link(std::move(shared)), from(peer), options(given), staging(make_staging(given.device)) {}

  // Asks for the next description. One at a time: the payloads are posted in the order of descriptions.
  void ask() {
    auto slot = std::make_shared<Slot>();
    link.monitor->update([&] {
      asking = true;
      slots.push_back(slot);
    });
    link.transport->post_receive(
        from, description_tag(options.channel), slot->description,
        [self = shared_from_this(), slot](const Delivery& delivery) { self->described(slot, delivery); });
  }

  // More only while fewer than `depth` boundaries lie here or are on their way.
  void ask_if_there_is_room() {
    bool room = false;
    link.monitor->update([&] {
      room = !asking && !closed && static_cast<int>(slots.size()) < options.depth;
      asking = asking || room;
    });
    if (room) ask();
  }

  void described(const std::shared_ptr<Slot>& slot, const Delivery& delivery) {
    bool stopped = false;
    link.monitor->update([&] {
      asking = false;
      stopped = closed;
    });
    if (stopped) return;
    try {
      if (delivery.error != nullptr) std::rethrow_exception(delivery.error);
      slot->boundary = staging->allocate_host(std::span(slot->description).first(delivery.bytes), numbered++);
    } catch (const common::PeerFailedError&) {
      return link.monitor->connection_failed(from, std::current_exception());
    } catch (...) {
      return link.monitor->update([&] {
        slot->error = std::current_exception();
        slot->ready = true;
      });
    }
    slot->open = 1 + slot->boundary.tensors.size();
    const LongMessage handlers{.moved = [monitor = link.monitor] { monitor->moved(); },
                               .ended = [self = shared_from_this(), slot](
                                            std::exception_ptr error) { self->tensor_came(*slot, error); }};
    for (const auto& [name, tensor] : slot->boundary.tensors) {
      receive_pieces(*link.transport, from, payload_tag(options.channel), bytes_of(tensor), handlers);
    }
    tensor_came(*slot, nullptr);  // the description itself: also a boundary without bytes gets ready
    ask_if_there_is_room();
  }

  void tensor_came(Slot& slot, const std::exception_ptr& error) {
    if (error != nullptr) link.monitor->connection_failed(from, error);
    link.monitor->update([&] { slot.ready = --slot.open == 0; });
  }

  Link link;
  const int from;
  const ChannelOptions options;
  const std::unique_ptr<Staging> staging;
  std::deque<std::shared_ptr<Slot>> slots;  // in the order of sending
  std::uint64_t numbered = 0;               // of the completions alone, which come one after another
  bool asking = false;
  bool closed = false;
};

HostReceiveChannel::HostReceiveChannel(Link link, int from, const ChannelOptions& options)
    : state_(std::make_shared<State>(std::move(link), from, options)) {
  state_->ask();
}

HostReceiveChannel::~HostReceiveChannel() {
  state_->link.monitor->update([&] { state_->closed = true; });
}

Boundary HostReceiveChannel::receive() {
  const Clock::time_point begin = Clock::now();
  std::shared_ptr<Slot> slot;
  state_->link.monitor->wait(state_->from, "receiving a boundary",
                             [&] { return !state_->slots.empty() && state_->slots.front()->ready; });
  state_->link.monitor->update([&] {
    slot = std::move(state_->slots.front());
    state_->slots.pop_front();
  });
  state_->ask_if_there_is_room();
  metrics_.wait_seconds += seconds_since(begin);
  if (slot->error != nullptr) std::rethrow_exception(slot->error);
  metrics_.messages += 1;
  metrics_.bytes += slot->boundary.bytes();
  return state_->staging->to_device(std::move(slot->boundary));
}

}  // namespace layerpipe::comm
