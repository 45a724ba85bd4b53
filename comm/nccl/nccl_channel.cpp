#include "comm/nccl/nccl_channel.h"

#include <c10/cuda/CUDAGuard.h>

#include <array>

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

// The sender goes first: its kernel stands ready before the description leaves, so a receive that is posted
// when the description has come finds its data at once and takes no multiprocessor from the computation.
class NcclSendChannel : public SendChannel {
 public:
  NcclSendChannel(Link link, int to, const ChannelOptions& options)
      : link_(std::move(link)),
        to_(to),
        options_(options),
        state_(std::make_shared<State>()),
        worker_(link_, to, NcclEdge::End::kSend, options.device) {
    const auto id = std::make_shared<const NcclEdge::Id>(NcclEdge::make_id());
    post(description_tag(options_.channel), *id, [id] {});
    worker_.set_id(*id);
  }

  void send(Boundary boundary) override {
    for (const auto& [name, tensor] : boundary.tensors) {
      common::ensure(tensor.device() == options_.device,
                     "a boundary's tensor is not on the channel's device");
    }
    const auto description =
        std::make_shared<const std::vector<std::byte>>(describe(boundary, static_cast<std::uint64_t>(sent_)));
    ++sent_;
    wait_until([this] { return state_->under_way < options_.depth; });
    figures_.messages += 1;
    figures_.bytes += boundary.bytes();
    link_.watch->update([&] { ++state_->under_way; });

    const auto given =
        std::make_shared<c10::Event>(recorded(c10::cuda::getCurrentCUDAStream(options_.device.index())));
    // Room is made when the GPU is through and the receiver has taken the description: small messages lie in
    // NCCL's buffers and would be through at once.
    const auto open = std::make_shared<int>(2);
    const auto ended = [watch = link_.watch, state = state_, open] {
      watch->update([&] {
        if (--*open == 0) --state->under_way;
      });
    };
    worker_.submit([=, this, boundary = std::move(boundary)](NcclEdge& edge, c10::cuda::CUDAStream stream) {
      given->block(stream.unwrap());
      edge.send(boundary, stream);
      post(description_tag(options_.channel), *description, [description, ended] { ended(); });
      return NcclWorker::Transfer{boundary, recorded(stream), ended, Clock::now()};
    });
  }

  void flush() override {
    wait_until([this] { return state_->under_way == 0; });
  }
  ChannelFigures figures() const override { return figures_; }

 private:
  // Guarded by the watch's lock.
  struct State {
    int under_way = 0;
  };

  void wait_until(const std::function<bool()>& ready) {
    const auto begin = Clock::now();
    link_.watch->wait(to_, "sending a boundary", ready);
    figures_.wait_seconds += seconds_since(begin);
  }

  void post(Tag tag, std::span<const std::byte> bytes, std::function<void()> taken) {
    link_.transport->post_send(
        to_, tag, bytes, [watch = link_.watch, to = to_, taken = std::move(taken)](const Delivery& delivery) {
          if (delivery.error != nullptr) return watch->connection_failed(to, delivery.error);
          taken();
        });
  }

  const Link link_;
  const int to_;
  const ChannelOptions options_;
  const std::shared_ptr<State> state_;
  std::int64_t sent_ = 0;
  ChannelFigures figures_;
  NcclWorker worker_;  // its thread uses the above
};

class NcclReceiveChannel : public ReceiveChannel {
 public:
  NcclReceiveChannel(Link link, int from, const ChannelOptions& options)
      : state_(std::make_shared<State>(std::move(link), from, options)) {
    state_->join();
    state_->ask_if_there_is_room();
  }
  ~NcclReceiveChannel() override {
    // The worker ends here; descriptions that come later find nobody.
    state_->link.watch->update([&] { state_->closed = true; });
    state_->worker.reset();
  }

  Boundary receive() override {
    const auto begin = Clock::now();
    std::shared_ptr<Slot> slot;
    state_->link.watch->wait(state_->from, "receiving a boundary",
                             [&] { return !state_->slots.empty() && state_->slots.front()->ready; });
    state_->link.watch->update([&] {
      slot = std::move(state_->slots.front());
      state_->slots.pop_front();
    });
    state_->ask_if_there_is_room();
    figures_.wait_seconds += seconds_since(begin);
    if (slot->error != nullptr) std::rethrow_exception(slot->error);
    const auto current = c10::cuda::getCurrentCUDAStream(state_->options.device.index());
    slot->came->block(current.unwrap());
    for (const auto& [name, tensor] : slot->boundary.tensors) tensor.record_stream(current.unwrap());
    figures_.messages += 1;
    figures_.bytes += slot->boundary.bytes();
    return std::move(slot->boundary);
  }
  ChannelFigures figures() const override { return figures_; }

 private:
  struct Slot {
    std::array<std::byte, kMaxDescriptionBytes> description;
    std::size_t length = 0;
    Boundary boundary;
    std::optional<c10::Event> came;
    bool ready = false;        // the receive is on the stream
    std::exception_ptr error;  // why there is no memory for it
  };

  // As in HostReceiveChannel; completions bring descriptions to the worker, which posts the receives.
  struct State : std::enable_shared_from_this<State> {
    State(Link shared, int peer, const ChannelOptions& given)
        : link(shared),
          from(peer),
          options(given),
          worker(std::make_unique<NcclWorker>(shared, peer, NcclEdge::End::kReceive, given.device)) {}

    void join() {
      const auto id = std::make_shared<NcclEdge::Id>();
      link.transport->post_receive(from, description_tag(options.channel), *id,
                                   [self = shared_from_this(), id](const Delivery& delivery) {
                                     if (delivery.error != nullptr)
                                       return self->link.watch->connection_failed(self->from, delivery.error);
                                     self->with_worker([&](NcclWorker& worker) { worker.set_id(*id); });
                                   });
    }

    // Keeps the worker while `use` runs: its owner may be going.
    void with_worker(const std::function<void(NcclWorker&)>& use) {
      std::shared_ptr<NcclWorker> held;
      link.watch->update([&] {
        if (!closed) held = worker;
      });
      if (held) use(*held);
    }

    void ask_if_there_is_room() {
      std::shared_ptr<Slot> slot;
      link.watch->update([&] {
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
      if (delivery.error != nullptr) return link.watch->connection_failed(from, delivery.error);
      slot->length = delivery.bytes;
      link.watch->update([&] { asking = false; });
      with_worker([&](NcclWorker& worker) {
        worker.submit([self = shared_from_this(), slot](NcclEdge& edge, c10::cuda::CUDAStream stream) {
          return self->post_receive(*slot, edge, stream);
        });
      });
      ask_if_there_is_room();
    }

    // On the worker's thread. The memory comes from the transfer's own stream; receive() adds the reader's.
    NcclWorker::Transfer post_receive(Slot& slot, NcclEdge& edge, c10::cuda::CUDAStream stream) {
      Boundary boundary;
      std::exception_ptr error;
      try {
        boundary = allocate(std::span(slot.description).first(slot.length), numbered++,
                            at::TensorOptions(options.device));
        edge.receive(boundary, stream);
      } catch (const common::PeerFailedError&) {
        throw;  // ends the worker
      } catch (...) {
        error = std::current_exception();
      }
      c10::Event came = recorded(stream);
      link.watch->update([&] {
        slot.boundary = boundary;
        slot.came.emplace(recorded(stream));
        slot.error = error;
        slot.ready = true;
      });
      return {std::move(boundary), std::move(came), [watch = link.watch] { watch->moved(); }, Clock::now()};
    }

    const Link link;
    const int from;
    const ChannelOptions options;
    // Guarded by the watch's lock.
    std::deque<std::shared_ptr<Slot>> slots;
    bool asking = false;
    bool closed = false;
    std::shared_ptr<NcclWorker> worker;
    std::uint64_t numbered = 0;  // of the worker's thread alone
  };

  const std::shared_ptr<State> state_;
  ChannelFigures figures_;
};

void require_gpu(const ChannelOptions& options) {
  if (options.device.is_cuda() && options.device.has_index()) return;
  throw common::InputError("the channel nccl needs a GPU on every rank", "Choose the channel mpi.");
}

}  // namespace

std::unique_ptr<SendChannel> open_nccl_send(Link link, int to, const ChannelOptions& options) {
  require_gpu(options);
  return std::make_unique<NcclSendChannel>(std::move(link), to, options);
}

std::unique_ptr<ReceiveChannel> open_nccl_receive(Link link, int from, const ChannelOptions& options) {
  require_gpu(options);
  return std::make_unique<NcclReceiveChannel>(std::move(link), from, options);
}

}  // namespace layerpipe::comm
