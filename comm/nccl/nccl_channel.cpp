#include "comm/nccl/nccl_channel.h"

#include <c10/cuda/CUDAGuard.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>

#include "comm/host_channel.h"
#include "comm/nccl/nccl_worker.h"
#include "comm/tags.h"
#include "common/errors.h"

namespace layerpipe::comm {
namespace {

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

c10::Event recorded(c10::cuda::CUDAStream stream) {
  c10::Event event(at::kCUDA);
  event.record(stream.unwrap());
  return event;
}

// What a receiver says to each announcement.
struct Request {
  std::uint64_t number = 0;
  enum What : std::uint64_t { kSend, kDrop } what = kSend;
};

std::span<std::byte> bytes_of(Request& request) {
  return std::as_writable_bytes(std::span(&request, 1));
}

// A rendezvous: the sender tells what is ready, the receiver posts its receive as soon as it has room and
// says so, and only then does the sender post. Neither end's kernel stands waiting while the other end
// computes, which would take multiprocessors from the computation and, until all kernels of the process have
// been loaded, can stop it for good: loading one waits for those that run (CUDA's lazy loading). For the same
// reason a boundary is handed to the reader when it is there: its stream never waits for NCCL, since a copy
// to pageable memory that waits keeps other threads from launching anything (docs/decisions.md).
//
// A receiver that is closed asks for what is still announced, too, but to have it dropped.
class NcclSendChannel : public SendChannel {
 public:
  NcclSendChannel(Link link, int to, const ChannelOptions& options)
      : number_(link.numbers->open({Direction::kSend, to, options.channel})),
        state_(std::make_shared<State>(std::move(link), to, options)) {
    state_->link.numbers->take_turn(
        {Direction::kSend, to, options.channel},
        [worker = state_->worker](ChannelNumbers::Token turn) { worker->begin(std::move(turn)); });
  }
  ~NcclSendChannel() override {
    // What the receiver asks for later finds nobody.
    std::shared_ptr<NcclWorker> worker;
    state_->link.monitor->update([&] { worker = std::move(state_->worker); });
    worker->close();
    send_end_of_channel(state_->link, state_->to, state_->options.channel,
                        static_cast<std::uint64_t>(metrics_.messages));
  }

  void send(Boundary boundary) override {
    const at::Device device = state_->options.device;
    for (const auto& [name, tensor] : boundary.tensors) {
      common::ensure(tensor.device() == device, "a boundary's tensor is not on the channel's device");
    }
    const auto number = static_cast<std::uint64_t>(metrics_.messages);
    const auto description = std::make_shared<const std::vector<std::byte>>(describe(boundary, number));
    wait_until([this] { return state_->under_way < state_->options.depth; });
    metrics_.messages += 1;
    metrics_.bytes += boundary.bytes();
    auto given = std::make_shared<c10::Event>(recorded(c10::cuda::getCurrentCUDAStream(device.index())));
    state_->link.monitor->update([&] {
      ++state_->under_way;
      state_->announced.push_back({number, std::move(boundary), std::move(given)});
    });
    state_->expect_request();
    state_->announce(description);
  }

  void flush() override {
    wait_until([this] { return state_->under_way == 0; });
  }
  void wait_until_open() override { state_->worker->wait_until_connected(); }
  ChannelMetrics metrics() const override { return metrics_; }

 private:
  struct Announced {
    std::uint64_t number;
    Boundary boundary;
    std::shared_ptr<c10::Event> given;  // the boundary is computed
  };

  // Shared with completions.
  struct State : std::enable_shared_from_this<State> {
    State(Link shared, int peer, const ChannelOptions& given)
        : link(shared),
          to(peer),
          options(given),
          worker(NcclWorker::start(shared, peer, NcclEdge::End::kSend, given)) {}

    void announce(const std::shared_ptr<const std::vector<std::byte>>& description) {
      link.transport->post_send(to, description_tag(options.channel), *description,
                                [monitor = link.monitor, to = to, description](const Delivery& delivery) {
                                  if (delivery.error != nullptr)
                                    monitor->connection_failed(to, delivery.error);
                                });
    }

    // The receiver asks for each boundary, in the order of their numbers as far as it wants them.
    void expect_request() {
      const auto request = std::make_shared<Request>();
      link.transport->post_receive(to, request_tag(options.channel), bytes_of(*request),
                                   [self = shared_from_this(), request](const Delivery& delivery) {
                                     if (delivery.error != nullptr)
                                       return self->link.monitor->connection_failed(self->to, delivery.error);
                                     self->answer(*request);
                                   });
    }

    void answer(const Request& request) {
      std::shared_ptr<NcclWorker> held;  // its owner may be going
      Announced next;
      link.monitor->update([&] {
        held = worker;
        const auto asked = std::find_if(announced.begin(), announced.end(),
                                        [&](const Announced& one) { return one.number == request.number; });
        if (asked == announced.end()) return;
        next = std::move(*asked);
        announced.erase(asked);
        if (request.what == Request::kDrop) --under_way;
      });
      if (request.what == Request::kDrop || next.given == nullptr) return;
      if (held == nullptr) return;
      held->submit(
          [self = shared_from_this(), next = std::move(next)](NcclEdge& edge, c10::cuda::CUDAStream stream) {
            next.given->block(stream.unwrap());
            edge.send(next.boundary, stream);
            return NcclWorker::Transfer{next.boundary, recorded(stream),
                                        [self] { self->link.monitor->update([&] { --self->under_way; }); },
                                        Clock::now()};
          });
    }

    const Link link;
    const int to;
    const ChannelOptions options;
    // Guarded by the monitor's lock.
    int under_way = 0;
    std::deque<Announced> announced;     // and not asked for yet
    std::shared_ptr<NcclWorker> worker;  // until the channel is closed
  };

  void wait_until(const std::function<bool()>& ready) {
    const auto begin = Clock::now();
    state_->link.monitor->wait(state_->to, "sending a boundary", ready);
    metrics_.wait_seconds += seconds_since(begin);
  }

  const ChannelNumbers::Token number_;
  const std::shared_ptr<State> state_;
  ChannelMetrics metrics_;
};

class NcclReceiveChannel : public ReceiveChannel {
 public:
  NcclReceiveChannel(Link link, int from, const ChannelOptions& options)
      : number_(link.numbers->open({Direction::kReceive, from, options.channel})),
        state_(std::make_shared<State>(std::move(link), from, options)) {
    state_->link.numbers->take_turn(
        {Direction::kReceive, from, options.channel},
        [state = state_](ChannelNumbers::Token turn) { state->begin(std::move(turn)); });
  }
  ~NcclReceiveChannel() override { state_->close(); }

  Boundary receive() override {
    const auto begin = Clock::now();
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
    const auto current = c10::cuda::getCurrentCUDAStream(state_->options.device.index());
    for (const auto& [name, tensor] : slot->boundary.tensors) tensor.record_stream(current.unwrap());
    metrics_.messages += 1;
    metrics_.bytes += slot->boundary.bytes();
    return std::move(slot->boundary);
  }
  void wait_until_open() override { state_->worker->wait_until_connected(); }
  ChannelMetrics metrics() const override { return metrics_; }

 private:
  struct Slot {
    std::array<std::byte, kMaxDescriptionBytes> description;
    std::size_t length = 0;
    std::uint64_t number = 0;
    bool submitted = false;  // to the worker
    Boundary boundary;
    bool ready = false;        // it is there, or there is an error
    std::exception_ptr error;  // why there is no memory for it
  };

  // It works as in HostReceiveChannel; completions bring descriptions to the worker, which posts the
  // receives.
  struct State : std::enable_shared_from_this<State> {
    State(Link shared, int peer, const ChannelOptions& given)
        : link(shared),
          from(peer),
          options(given),
          worker(NcclWorker::start(shared, peer, NcclEdge::End::kReceive, given)) {}

    void begin(ChannelNumbers::Token begun) {
      link.monitor->update([&] { turn = begun; });
      worker->begin(std::move(begun));
      ask_if_there_is_room();
    }

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
      try {
        if (delivery.error != nullptr) std::rethrow_exception(delivery.error);
        if (is_end(std::span(slot->description).first(delivery.bytes), described_so_far)) return end();
      } catch (...) {
        return link.monitor->connection_failed(from, std::current_exception());
      }
      slot->length = delivery.bytes;
      slot->number = described_so_far++;
      // Under one lock: what is submitted before the worker's close() is worked on.
      link.monitor->update([&] {
        asking = false;
        if (closed) return;
        worker->submit([self = shared_from_this(), slot](NcclEdge& edge, c10::cuda::CUDAStream stream) {
          return self->post_receive(slot, edge, stream);
        });
        slot->submitted = true;
      });
      if (!slot->submitted) request(slot->number, Request::kDrop);
      ask_if_there_is_room();
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

    // The state lives on, as that of a channel over the host does, until the sender's end has come.
    void close() {
      std::deque<std::shared_ptr<Slot>> unread;  // goes without the lock
      link.monitor->update([&] {
        closed = true;
        unread.swap(slots);
      });
      worker->close();
      ask_if_there_is_room();
    }

    // Both ends post together: see NcclSendChannel.
    void request(std::uint64_t number, Request::What what) {
      const auto message = std::make_shared<Request>(Request{number, what});
      link.transport->post_send(from, request_tag(options.channel), bytes_of(*message),
                                [message, monitor = link.monitor, from = from](const Delivery& delivery) {
                                  if (delivery.error != nullptr)
                                    monitor->connection_failed(from, delivery.error);
                                });
    }

    // The worker's thread calls this. The memory comes from the transfer's own stream; receive() adds the
    // reader's.
    NcclWorker::Transfer post_receive(const std::shared_ptr<Slot>& slot, NcclEdge& edge,
                                      c10::cuda::CUDAStream stream) {
      const auto set_ready = [slot, monitor = link.monitor] { monitor->update([&] { slot->ready = true; }); };
      try {
        slot->boundary = allocate(std::span(slot->description).first(slot->length), slot->number,
                                  at::TensorOptions(options.device));
      } catch (const common::PeerFailedError&) {
        throw;  // ends the worker
      } catch (...) {
        slot->error = std::current_exception();
        return {{}, recorded(stream), set_ready, Clock::now()};
      }
      request(slot->number, Request::kSend);
      edge.receive(slot->boundary, stream);
      return {slot->boundary, recorded(stream), set_ready, Clock::now()};
    }

    const Link link;
    const int from;
    const ChannelOptions options;
    // Guarded by the monitor's lock.
    std::deque<std::shared_ptr<Slot>> slots;
    bool asking = false;
    bool closed = false;
    ChannelNumbers::Token turn;              // from when it begins until the sender's end has come
    std::optional<Clock::time_point> ended;  // when the sender's end came
    const std::shared_ptr<NcclWorker> worker;
    std::uint64_t described_so_far = 0;  // of the completions alone
  };

  const ChannelNumbers::Token number_;
  const std::shared_ptr<State> state_;
  ChannelMetrics metrics_;
};

void require_gpu(const ChannelOptions& options) {
  if (options.device.is_cuda() && options.device.has_index()) return;
  throw common::InputError("the channel nccl needs a GPU on every rank", "Choose the channel mpi.");
}

}  // namespace

bool nccl_is_built() {
  return true;
}

std::unique_ptr<SendChannel> open_nccl_send(Link link, int to, const ChannelOptions& options) {
  require_gpu(options);
  return std::make_unique<NcclSendChannel>(std::move(link), to, options);
}

std::unique_ptr<ReceiveChannel> open_nccl_receive(Link link, int from, const ChannelOptions& options) {
  require_gpu(options);
  return std::make_unique<NcclReceiveChannel>(std::move(link), from, options);
}

}  // namespace layerpipe::comm
