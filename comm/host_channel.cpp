#include "comm/host_channel.h"

#include <array>
#include <chrono>
#include <optional>

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

// Guarded by the monitor's lock.
struct HostSendChannel::State {
  int under_way = 0;
};

HostSendChannel::HostSendChannel(Link link, int to, const ChannelOptions& options)
    : link_(std::move(link)),
      to_(to),
      options_(options),
      number_(link_.numbers->open({Direction::kSend, to, options.channel})),
      state_(std::make_shared<State>()),
      staging_(make_staging(options.device)) {}

// The end follows the last boundary, whose copy to the host may still be under way.
HostSendChannel::~HostSendChannel() {
  staging_.reset();
  send_end_of_channel(link_, to_, options_.channel, static_cast<std::uint64_t>(metrics_.messages));
}

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

void wait_for_boundary(const Link& link, int from, const std::optional<Clock::time_point>& ended,
                       const std::function<bool()>& is_there) {
  RankMonitor& monitor = *link.monitor;
  bool there = false;
  monitor.wait(from, "receiving a boundary", [&] {
    there = is_there();
    return there || (ended && Clock::now() - *ended > monitor.timeout());
  });
  if (there) return;
  monitor.fail({.rank = from,
                .reason = "closed a channel from which rank " + std::to_string(monitor.rank()) +
                          " still waits for a boundary",
                .blame = Blame::kLeft});
  monitor.check();
}

void send_end_of_channel(const Link& link, int to, int channel, std::uint64_t messages) {
  const auto end = std::make_shared<const std::vector<std::byte>>(describe_end(messages));
  link.transport->post_send(to, description_tag(channel), *end,
                            [end, monitor = link.monitor, to](const Delivery& delivery) {
                              if (delivery.error != nullptr) monitor->connection_failed(to, delivery.error);
                            });
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
//
// It outlives its channel until the sender's end has come: what the sender still sends is received and
// dropped, so that no message of this channel is left for the next one with its number.
struct HostReceiveChannel::State : std::enable_shared_from_this<State> {
  State(Link shared, int peer, const ChannelOptions& given)
      : link(std::move(shared)), from(peer), options(given), staging(make_staging(given.device)) {}

  void begin(ChannelNumbers::Token begun) {
    link.monitor->update([&] { turn = std::move(begun); });
    ask_if_there_is_room();
  }

  // Asks for the next description, one at a time, so that the payloads are posted in the order of
  // descriptions; while the channel is open, only if fewer than `depth` boundaries lie here or are on their
  // way.
  void ask_if_there_is_room() {
    std::shared_ptr<Slot> slot;
    link.monitor->update([&] {
      if (asking || ended || turn.use_count() == 0) return;
      if (!closed && static_cast<int>(slots.size()) >= options.depth) return;
      asking = true;
      slot = std::make_shared<Slot>();
      if (!closed) slots.push_back(slot);
    });
    if (slot == nullptr) return;
    link.transport->post_receive(
        from, description_tag(options.channel), slot->description,
        [self = shared_from_this(), slot](const Delivery& delivery) { self->described(slot, delivery); });
  }

  void described(const std::shared_ptr<Slot>& slot, const Delivery& delivery) {
    bool drops = false;
    link.monitor->update([&] { drops = closed; });
    try {
      if (delivery.error != nullptr) std::rethrow_exception(delivery.error);
      const auto description = std::span(slot->description).first(delivery.bytes);
      if (is_end(description, numbered)) return end();
      slot->boundary = drops ? allocate(description, numbered, at::TensorOptions(at::kCPU))
                             : staging->allocate_host(description, numbered);
      ++numbered;
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
    link.monitor->update([&] { asking = false; });
    ask_if_there_is_room();
  }

  void tensor_came(Slot& slot, const std::exception_ptr& error) {
    if (error != nullptr) link.monitor->connection_failed(from, error);
    link.monitor->update([&] { slot.ready = --slot.open == 0; });
  }

  void end() {
    ChannelNumbers::Token over;  // the next channel's turn begins without the lock
    link.monitor->update([&] {
      ended = Clock::now();
      asking = false;
      if (!closed) slots.pop_back();  // that of this description
      over = std::move(turn);
    });
  }

  void close() {
    std::deque<std::shared_ptr<Slot>> unread;  // goes without the lock
    link.monitor->update([&] {
      closed = true;
      unread.swap(slots);
    });
    ask_if_there_is_room();
  }

  Link link;
  const int from;
  const ChannelOptions options;
  const std::unique_ptr<Staging> staging;
  std::deque<std::shared_ptr<Slot>> slots;  // in the order of sending
  std::uint64_t numbered = 0;               // of the completions alone, which come one after another
  ChannelNumbers::Token turn;               // from when it begins until the sender's end has come
  bool asking = false;                      // a description is awaited, or there was no memory for a boundary
  bool closed = false;
  std::optional<Clock::time_point> ended;  // when the sender's end came
};

HostReceiveChannel::HostReceiveChannel(Link link, int from, const ChannelOptions& options)
    : number_(link.numbers->open({Direction::kReceive, from, options.channel})),
      state_(std::make_shared<State>(std::move(link), from, options)) {
  state_->link.numbers->take_turn(
      {Direction::kReceive, from, options.channel},
      [state = state_](ChannelNumbers::Token turn) { state->begin(std::move(turn)); });
}

HostReceiveChannel::~HostReceiveChannel() {
  state_->close();
}

Boundary HostReceiveChannel::receive() {
  const Clock::time_point begin = Clock::now();
  std::shared_ptr<Slot> slot;
  wait_for_boundary(state_->link, state_->from, state_->ended,
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
