#include "comm/mpi/engine.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <string>

#include "comm/tags.h"
#include "common/errors.h"

namespace layerpipe::comm::mpi {
namespace {

// Right after something happened, more is likely to come: the thread looks again at once, giving way to
// others that want the core. Then it sleeps, for longer and longer: a rank that computes keeps its core.
constexpr int kEagerTurns = 100;
constexpr std::chrono::microseconds kShortestSleep{10};
constexpr std::chrono::microseconds kLongestSleep{100};

std::string error_text(int code) {
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  return {text.data(), static_cast<std::size_t>(length)};
}

Delivery delivery_of(const MPI_Status& status, int code) {
  if (code != MPI_SUCCESS) {
    return {.bytes = 0,
            .error = std::make_exception_ptr(common::PeerFailedError(
                error_text(code), "Check that all ranks run the same build of layerpipe, and the network."))};
  }
  int count = 0;
  MPI_Get_count(&status, MPI_BYTE, &count);
  return {.bytes = static_cast<std::size_t>(count), .error = nullptr};
}

}  // namespace

void require(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  throw common::PeerFailedError(std::string(call) + " failed: " + error_text(code),
                                "Check the installation of Open MPI on all machines.");
}

Engine::Engine() {
  require(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  thread_ = std::thread([this] { run(); });
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Engine::submit(Order order) {
  {
    const std::lock_guard lock(mutex_);
    orders_.push_back(std::move(order));
  }
  changed_.notify_all();
}

void Engine::withdraw(int owner, std::chrono::milliseconds grace) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return withdrawing_ == 0; });
  withdrawing_ = owner;
  withdraw_until_ = Clock::now() + grace;
  changed_.notify_all();
  changed_.wait(lock, [&] { return withdrawing_ != owner; });
}

void Engine::run() {
  int idle_turns = 0;
  while (true) {
    bool busy = begin_orders();
    busy = finish_transfers() || busy;
    busy = serve_withdrawal() || busy;
    idle_turns = busy ? 0 : idle_turns + 1;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
    }
    rest(idle_turns);
  }
}

void Engine::rest(int idle_turns) {
  if (idle_turns < kEagerTurns && !active_.empty()) {
    ::sched_yield();
    return;
  }
  const auto awake = [&] { return stop_ || !orders_.empty(); };
  std::unique_lock lock(mutex_);
  if (active_.empty() && withdrawing_ == 0) {
    changed_.wait(lock, [&] { return awake() || withdrawing_ != 0; });
  } else {
    changed_.wait_for(lock, std::min(kShortestSleep * (idle_turns / kEagerTurns + 1), kLongestSleep), awake);
  }
}

bool Engine::begin_orders() {
  std::deque<Order> orders;
  {
    const std::lock_guard lock(mutex_);
    orders.swap(orders_);
  }
  for (Order& order : orders) begin(std::move(order));
  return !orders.empty();
}

void Engine::begin(Order order) {
  const int tag = order.owner * kTagLimit + order.tag;
  MPI_Request request = MPI_REQUEST_NULL;
  // Synchronous sends complete when the receiver has taken the message, also a short one; see transport.h.
  const int code = order.kind == Order::Kind::kSend
                       ? MPI_Issend(order.source.data(), static_cast<int>(order.source.size()), MPI_BYTE,
                                    order.peer, tag, MPI_COMM_WORLD, &request)
                       : MPI_Irecv(order.target.data(), static_cast<int>(order.target.size()), MPI_BYTE,
                                   order.peer, tag, MPI_COMM_WORLD, &request);
  if (code != MPI_SUCCESS) return order.completion(delivery_of({}, code));
  requests_.push_back(request);
  active_.push_back(std::move(order));
}

bool Engine::finish_transfers() {
  if (active_.empty()) return false;
  std::vector<int> indices(active_.size());
  std::vector<MPI_Status> statuses(active_.size());
  int count = 0;
  const int code = MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count, indices.data(),
                                statuses.data());
  if (count == MPI_UNDEFINED || count == 0) return false;
  // Completions are called in the order of posting, and may post: by then the lists are whole again.
  struct Ended {
    int index;
    Order order;
    Delivery delivery;
  };
  std::vector<Ended> ended;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const int error = code == MPI_ERR_IN_STATUS ? statuses[i].MPI_ERROR : code;
    Order& order = active_[static_cast<std::size_t>(indices[i])];
    Delivery delivery = delivery_of(statuses[i], error);
    if (order.kind == Order::Kind::kSend) delivery.bytes = order.source.size();
    ended.push_back({indices[i], std::move(order), std::move(delivery)});
  }
  std::sort(ended.begin(), ended.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
  for (auto at = ended.rbegin(); at != ended.rend(); ++at) {
    requests_.erase(requests_.begin() + at->index);
    active_.erase(active_.begin() + at->index);
  }
  int withdrawing = 0;
  {
    const std::lock_guard lock(mutex_);
    withdrawing = withdrawing_;
  }
  for (Ended& one : ended) {
    if (one.order.owner != 0 && one.order.owner != withdrawing) one.order.completion(one.delivery);
  }
  return true;
}

bool Engine::serve_withdrawal() {
  int owner = 0;
  {
    const std::lock_guard lock(mutex_);
    if (withdrawing_ == 0) return false;
    owner = withdrawing_;
  }
  if (!cancelled_) {
    begin_orders();  // what was submitted before the withdrawal
    for (std::size_t i = 0; i < active_.size(); ++i) {
      if (active_[i].owner == owner && active_[i].kind == Order::Kind::kReceive) MPI_Cancel(&requests_[i]);
    }
    cancelled_ = true;
  }
  const auto is_his = [&](const Order& order) { return order.owner == owner; };
  const bool over = Clock::now() > withdraw_until_;
  if (std::any_of(active_.begin(), active_.end(), is_his) && !over) return false;
  // Sends that nobody takes cannot be called back in Open MPI, which goes on reading from their memory: they
  // stay, as nobody's (number 0).
  for (Order& order : active_) {
    if (is_his(order)) order.owner = 0;
  }
  cancelled_ = false;
  {
    const std::lock_guard lock(mutex_);
    withdrawing_ = 0;
  }
  changed_.notify_all();
  return true;
}

}  // namespace layerpipe::comm::mpi
