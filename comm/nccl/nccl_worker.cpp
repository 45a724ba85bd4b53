#include "comm/nccl/nccl_worker.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAGuard.h>

#include "comm/tags.h"
#include "common/errors.h"

namespace layerpipe::comm {
namespace {

// The first communicator of a process takes seconds; a network that is badly set up, for ever.
constexpr std::chrono::seconds kJoining{60};
// Between looks at transfers that are under way, and at the ranks when there are none.
constexpr std::chrono::microseconds kBusy{50};
constexpr std::chrono::milliseconds kIdle{50};
// Between looks at whether it is this edge's turn to be connected.
constexpr std::chrono::milliseconds kBetweenTurns{2};

// How long transfers that are under way have when a channel is closed.
constexpr std::chrono::seconds kLastTransfers{1};

struct Closed {};  // thrown where an edge is made and the ranks have failed or part

}  // namespace

NcclWorker::NcclWorker(Link link, int peer, NcclEdge::End end, const ChannelOptions& options)
    : link_(std::move(link)),
      peer_(peer),
      end_(end),
      device_(options.device),
      invitation_tag_(invitation_tag(options.channel, (end == NcclEdge::End::kSend) == invites())),
      stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device_.index())) {}

std::shared_ptr<NcclWorker> NcclWorker::start(Link link, int peer, NcclEdge::End end,
                                              const ChannelOptions& options) {
  std::shared_ptr<NcclWorker> worker(new NcclWorker(std::move(link), peer, end, options));
  worker->thread_ = std::thread([worker] { worker->run(); });
  return worker;
}

void NcclWorker::begin(ChannelNumbers::Token turn) {
  {
    const std::lock_guard lock(mutex_);
    turn_ = std::move(turn);
  }
  changed_.notify_all();
}

void NcclWorker::close() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  link_.closing_threads->add(std::move(thread_), thread_ended_.get_future());
}

void NcclWorker::wait_until_connected() {
  try {
    link_.monitor->wait(peer_, "connecting over NCCL", [this] { return connected_ || own_failure_; });
  } catch (const common::PeerFailedError&) {
    if (own_failure_ == nullptr) throw;
  }
  // What failed here says more than that a rank failed, and has its own exit code.
  if (own_failure_ != nullptr) std::rethrow_exception(own_failure_);
}

void NcclWorker::submit(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (refuses_tasks_) return;
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

void NcclWorker::run() {
  std::unique_ptr<NcclEdge> edge;
  try {
    const c10::cuda::CUDAGuard device(device_);
    const c10::cuda::CUDAStreamGuard stream(stream_);
    wait_for_turn();
    make_edge(edge);
    link_.monitor->update([this] { connected_ = true; });
    work(*edge);
    finish_transfers(*edge);
    if (!link_.monitor->failure() && transfers_.empty()) edge->finish();
  } catch (const Closed&) {
  } catch (const common::PeerFailedError&) {
    link_.monitor->connection_failed(peer_, std::current_exception());
  } catch (...) {
    link_.monitor->update([this] { own_failure_ = std::current_exception(); });
    link_.monitor->device_failed(std::current_exception());
  }
  drop_what_is_left(std::move(edge));
  ChannelNumbers::Token turn;
  {
    const std::lock_guard lock(mutex_);
    turn = std::move(turn_);
  }
  turn.reset();  // begins the next channel's, perhaps
  thread_ended_.set_value();
}

// Whoever submitted tasks holds this worker. An edge that did not finish is aborted, which may take until the
// other end does the same: by now it can know why.
void NcclWorker::drop_what_is_left(std::unique_ptr<NcclEdge> edge) noexcept {
  std::deque<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    refuses_tasks_ = true;
    tasks.swap(tasks_);
  }
  try {
    const c10::cuda::CUDAGuard device(device_);  // events are destroyed on theirs
    edge.reset();
    transfers_.clear();
    tasks.clear();
  } catch (const c10::Error&) {
    // The device is broken, which has been told.
  }
}

void NcclWorker::expect(std::span<std::byte> message) {
  link_.transport->post_receive(
      peer_, invitation_tag_, message,
      [invitation = invitation_, monitor = link_.monitor, peer = peer_](const Delivery& delivery) {
        if (delivery.error != nullptr) return monitor->connection_failed(peer, delivery.error);
        invitation->came.store(true);
      });
}

void NcclWorker::send(std::span<const std::byte> message) {
  link_.transport->post_send(
      peer_, invitation_tag_, message,
      [invitation = invitation_, monitor = link_.monitor, peer = peer_](const Delivery& delivery) {
        if (delivery.error != nullptr) monitor->connection_failed(peer, delivery.error);
      });
}

void NcclWorker::check_wanted() {
  if (link_.closing_threads->is_leaving() || link_.monitor->failure()) throw Closed();
}

void NcclWorker::wait_for_turn() {
  const auto is_here = [this] {
    const std::lock_guard lock(mutex_);
    return turn_.use_count() > 0;
  };
  for (; !is_here(); std::this_thread::sleep_for(kBetweenTurns)) check_wanted();
  if (!invites()) expect(invitation_->id);
}

void NcclWorker::wait_for_the_other() {
  for (; !invitation_->came.load(); std::this_thread::sleep_for(kBetweenTurns)) check_wanted();
}

// Waits for the other end for as long as it takes: whoever needs the edge has a deadline.
void NcclWorker::make_edge(std::unique_ptr<NcclEdge>& edge) {
  if (!invites()) wait_for_the_other();
  std::unique_lock turn(*link_.connecting, std::defer_lock);
  while (!turn.try_lock_for(kBetweenTurns)) check_wanted();
  if (invites()) {
    invitation_->id = NcclEdge::make_id();
    expect({});
    send(invitation_->id);
    wait_for_the_other();
  } else {
    send({});
  }
  edge = std::make_unique<NcclEdge>(
      [this, told = Clock::now()](Clock::duration waited) mutable { be_patient(waited, told); });
  edge->join(invitation_->id, end_);
  connect(*edge);
  edge->set_patience([this](Clock::duration waited) { check_in_time(waited); });
}

void NcclWorker::be_patient(Clock::duration waited, Clock::time_point& told) {
  check_wanted();
  if (waited > kJoining) throw common::PeerFailedError("NCCL did not connect the ranks in a minute");
  // Connecting counts as moving: it may take longer than a short timeout.
  if (Clock::now() - told < kIdle) return;
  link_.monitor->moved();
  told = Clock::now();
}

// Of an edge that is connected, also after close().
void NcclWorker::check_in_time(Clock::duration waited) {
  if (link_.monitor->failure()) throw Closed();
  if (waited > link_.monitor->timeout()) {
    throw common::PeerFailedError("NCCL did not begin a transfer within the timeout", kNcclRemedy);
  }
}

// NCCL connects two ranks at their first message, which takes longer than any other and allocates memory: one
// byte, before there is anything to compute.
void NcclWorker::connect(NcclEdge& edge) {
  Boundary byte;
  byte.tensors.push_back({"connect", at::zeros({1}, at::TensorOptions(device_).dtype(at::kByte))});
  if (end_ == NcclEdge::End::kSend) {
    edge.send(byte, stream_);
  } else {
    edge.receive(byte, stream_);
  }
  c10::Event ended(at::kCUDA);
  ended.record(stream_.unwrap());
  const auto begin = Clock::now();
  for (auto told = begin; !ended.query(); std::this_thread::sleep_for(kBusy)) {
    edge.check();
    be_patient(Clock::now() - begin, told);
  }
}

void NcclWorker::work(NcclEdge& edge) {
  while (true) {
    std::deque<Task> tasks;
    {
      std::unique_lock lock(mutex_);
      if (tasks_.empty() && !stop_) {
        changed_.wait_for(lock, transfers_.empty() ? std::chrono::microseconds(kIdle) : kBusy);
      }
      if (stop_ && tasks_.empty()) return;
      tasks.swap(tasks_);
    }
    if (link_.monitor->failure()) return;
    for (const Task& task : tasks) transfers_.push_back(task(edge, stream_));
    edge.check();
    look_at_transfers();
  }
}

// What has been posted before close() may be through, or nearly so.
void NcclWorker::finish_transfers(NcclEdge& edge) {
  for (const auto begin = Clock::now(); !transfers_.empty() && !link_.monitor->failure();
       std::this_thread::sleep_for(kBusy)) {
    if (Clock::now() - begin > kLastTransfers) return;
    edge.check();
    look_at_transfers();
  }
}

void NcclWorker::look_at_transfers() {
  while (!transfers_.empty() && transfers_.front().ended.query()) {
    const Transfer ended = std::move(transfers_.front());
    transfers_.pop_front();
    ended.then();
  }
  // Both ends have posted by now, so only a broken connection takes so long.
  if (!transfers_.empty() && Clock::now() - transfers_.front().since > link_.monitor->timeout()) {
    throw common::PeerFailedError("a transfer over NCCL did not end within the timeout", kNcclRemedy);
  }
}

}  // namespace layerpipe::comm
