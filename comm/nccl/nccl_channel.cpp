#include "comm/nccl/nccl_channel.h"

#include <c10/cuda/CUDAGuard.h>

#include <array>
#include <deque>

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

// A rendezvous: the sender tells what is ready, the receiver posts its receive as soon as it has room and
// says so, and only then does the sender post. Neither end's kernel stands waiting while the other end
// computes, which would take multiprocessors from the computation and, until all kernels of the process have
// been loaded, can stop it for good: loading one waits for those that run (CUDA's lazy loading). For the same
// reason a boundary is handed to the reader when it is there: its stream never waits for NCCL, since a copy
// to pageable memory that waits keeps other threads from launching anything (docs/decisions.md).
class NcclSendChannel : public SendChannel {
 public:
  NcclSendChannel(Link link, int to, const ChannelOptions& options)
      : state_(std::make_shared<State>(std::move(link), to, options)) {}
  ~NcclSendChannel() override {
    // What the receiver asks for later finds nobody.
    std::shared_ptr<NcclWorker> worker;
    state_->link.monitor->update([&] { worker = std::move(state_->worker); });
    worker->close();
  }

  void send(Boundary boundary) override {
    const at::Device device = state_->options.device;
    for (const auto& [name, tensor] : boundary.tensors) {
      common::ensure(tensor.device() == device, "a boundary's tensor is not on the channel's device");
    }
    const auto description = std::make_shared<const std::vector<std::byte>>(
        describe(boundary, static_cast<std::uint64_t>(metrics_.messages)));
    wait_until([this] { return state_->under_way < state_->options.depth; });
    metrics_.messages += 1;
    metrics_.bytes += boundary.bytes();
    auto given = std::make_shared<c10::Event>(recorded(c10::cuda::getCurrentCUDAStream(device.index())));
    state_->link.monitor->update([&] {
      ++state_->under_way;
      state_->announced.push_back({std::move(boundary), std::move(given)});
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

    // The receiver asks for each boundary with an empty message.
    void expect_request() {
      link.transport->post_receive(to, request_tag(options.channel), {},
                                   [self = shared_from_this()](const Delivery& delivery) {
                                     if (delivery.error != nullptr)
                                       return self->link.monitor->connection_failed(self->to, delivery.error);
                                     self->post_next();
                                   });
    }

    void post_next() {
      std::shared_ptr<NcclWorker> held;  // its owner may be going
      Announced next;
      link.monitor->update([&] {
        held = worker;
        next = std::move(announced.front());
        announced.pop_front();
      });
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
    std::deque<Announced> announced;  // and not asked for yet
    std::shared_ptr<NcclWorker> worker;
  };

  void wait_until(const std::function<bool()>& ready) {
    const auto begin = Clock::now();
    state_->link.monitor->wait(state_->to, "sending a boundary", ready);
    metrics_.wait_seconds += seconds_since(begin);
  }

  const std::shared_ptr<State> state_;
  ChannelMetrics metrics_;
};

class NcclReceiveChannel : public ReceiveChannel {
 public:
  NcclReceiveChannel(Link link, int from, const ChannelOptions& options)
      : state_(std::make_shared<State>(std::move(link), from, options)) {
    state_->ask_if_there_is_room();
  }
  ~NcclReceiveChannel() override {
    // Descriptions that come later find nobody.
    state_->link.monitor->update([&] { state_->closed = true; });
    state_->worker->close();
  }

  Boundary receive() override {
    const auto begin = Clock::now();
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
    Boundary boundary;
    bool ready = false;        // it is there, or there is an error
    std::exception_ptr error;  // why there is no memory for it
  };

  // As in HostReceiveChannel; completions bring descriptions to the worker, which posts the receives.
  struct State : std::enable_shared_from_this<State> {
    State(Link shared, int peer, const ChannelOptions& given)
        : link(shared),
          from(peer),
          options(given),
          worker(NcclWorker::start(shared, peer, NcclEdge::End::kReceive, given)) {}

    // Keeps the worker while `use` runs: its owner may be going.
    void with_worker(const std::function<void(NcclWorker&)>& use) {
      std::shared_ptr<NcclWorker> held;
      link.monitor->update([&] {
        if (!closed) held = worker;
      });
      if (held) use(*held);
    }

    void ask_if_there_is_room() {
      std::shared_ptr<Slot> slot;
      link.monitor->update([&] {
        if (asking || closed || static_cast<int>(slots.size()) >= options.depth) return;
        asking = true;
        slot = slots.emplace_back(std::make_shared<Slot>());
      });
      if (slot == nullptr) return;
      link.transport->post_receive(
          from, description_tag(options.channel), slot->description,
          [self = shared_from_this(), slot](const Delivery& delivery) { self->described(slot, delivery); });
    }

    void described(const std::shared_ptr<Slot>& slot, const Delivery& delivery) {
      if (delivery.error != nullptr) return link.monitor->connection_failed(from, delivery.error);
      slot->length = delivery.bytes;
      link.monitor->update([&] { asking = false; });
      with_worker([&](NcclWorker& worker) {
        worker.submit([self = shared_from_this(), slot](NcclEdge& edge, c10::cuda::CUDAStream stream) {
          return self->post_receive(slot, edge, stream);
        });
      });
      ask_if_there_is_room();
    }

    // Both ends post together: see NcclSendChannel.
    void request() {
      link.transport->post_send(from, request_tag(options.channel), {},
                                [monitor = link.monitor, from = from](const Delivery& delivery) {
                                  if (delivery.error != nullptr)
                                    monitor->connection_failed(from, delivery.error);
                                });
    }

    // On the worker's thread. The memory comes from the transfer's own stream; receive() adds the reader's.
    NcclWorker::Transfer post_receive(const std::shared_ptr<Slot>& slot, NcclEdge& edge,
                                      c10::cuda::CUDAStream stream) {
      const auto set_ready = [slot, monitor = link.monitor] { monitor->update([&] { slot->ready = true; }); };
      try {
        slot->boundary = allocate(std::span(slot->description).first(slot->length), numbered++,
                                  at::TensorOptions(options.device));
      } catch (const common::PeerFailedError&) {
        throw;  // ends the worker
      } catch (...) {
        slot->error = std::current_exception();
        return {{}, recorded(stream), set_ready, Clock::now()};
      }
      request();
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
    std::shared_ptr<NcclWorker> worker;
    std::uint64_t numbered = 0;  // of the worker's thread alone
  };

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
