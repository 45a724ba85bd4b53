#include "comm/mpi/session.h"

#include <mpi.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "comm/mpi/engine.h"
#include "comm/mpi/launch_environment.h"
#include "comm/tags.h"
#include "comm/transport_communicator.h"
#include "common/errors.h"
#include "common/host_name.h"

namespace layerpipe::comm::mpi {
namespace {

// What every MPI grants.
constexpr int kSmallestTagLimit = 32767;
constexpr std::chrono::milliseconds kClosingGrace{1000};
// How long ranks that have ended their work wait for one another to leave MPI together.
constexpr std::chrono::seconds kLeavingTime{10};

class MpiTransport : public Transport {
 public:
  MpiTransport(Engine& engine, int number, int rank, int size)
      : engine_(engine), number_(number), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void post_send(int to, Tag tag, std::span<const std::byte> bytes, Completion completion) override {
    if (closed_) return;
    engine_.submit({Order::Kind::kSend, number_, to, tag, bytes, {}, std::move(completion)});
  }
  void post_receive(int from, Tag tag, std::span<std::byte> bytes, Completion completion) override {
    if (closed_) return;
    engine_.submit({Order::Kind::kReceive, number_, from, tag, {}, bytes, std::move(completion)});
  }
  void close() noexcept override {
    closed_ = true;
    engine_.withdraw(number_, kClosingGrace);
  }

 private:
  Engine& engine_;
  const int number_;
  const int rank_;
  const int size_;
  std::atomic<bool> closed_{false};
};

// Whether all ranks come here within the time: then all of them live.
bool all_are_here(Transport& transport, std::chrono::milliseconds limit) {
  struct Meeting {
    std::mutex mutex;
    std::condition_variable changed;
    int open = 0;
  };
  const auto meeting = std::make_shared<Meeting>();
  meeting->open = 2 * (transport.size() - 1);
  const auto met = [meeting](const Delivery& delivery) {
    const std::lock_guard lock(meeting->mutex);
    if (delivery.error == nullptr) --meeting->open;
    meeting->changed.notify_all();
  };
  for (int rank = 0; rank < transport.size(); ++rank) {
    if (rank == transport.rank()) continue;
    transport.post_receive(rank, control_tag(0), {}, met);
    transport.post_send(rank, control_tag(0), {}, met);
  }
  std::unique_lock lock(meeting->mutex);
  return meeting->changed.wait_for(lock, limit, [&] { return meeting->open == 0; });
}

int int_of(int (*function)(MPI_Comm, int*), const char* name) {
  int value = 0;
  require(function(MPI_COMM_WORLD, &value), name);
  return value;
}

}  // namespace

Session::Session() {
  join();
}

Session::Session(std::chrono::milliseconds timeout, const std::function<void(const Absence&)>& missing) {
  std::optional<Meeting> meeting;
  const auto launch = find_launch();
  if (auto folder = launch ? RankFolder::from_environment(launch->rank, launch->size) : std::nullopt)
    meeting.emplace(std::move(*folder), timeout, missing);
  join();
}

void Session::join() {
  int provided = 0;
  require(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
  if (provided < MPI_THREAD_SERIALIZED) {
    throw common::InputError("this MPI cannot be called from several threads",
                             "Use an Open MPI that was built with support for threads.");
  }
  rank_ = int_of(MPI_Comm_rank, "MPI_Comm_rank");
  size_ = int_of(MPI_Comm_size, "MPI_Comm_size");
  const int* last_tag = nullptr;
  int is_set = 0;
  require(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &last_tag, &is_set), "MPI_Comm_get_attr");
  most_transports_ = (is_set != 0 ? *last_tag : kSmallestTagLimit) / kTagLimit - 1;
  engine_ = std::make_unique<Engine>();
}

Session::~Session() {
  const auto last = make_transport();
  const bool all_here = all_are_here(*last, kLeavingTime);
  last->close();
  engine_.reset();
  // MPI_Finalize waits for all ranks without a deadline.
  if (all_here) MPI_Finalize();
}

std::shared_ptr<Transport> Session::make_transport() {
  common::ensure(transports_ < most_transports_, "MPI has no tags left for another communicator");
  return std::make_shared<MpiTransport>(*engine_, ++transports_, rank_, size_);
}

std::unique_ptr<Communicator> Session::connect(std::chrono::milliseconds timeout,
                                               std::function<void(const Failure&)> on_failure) {
  auto communicator = std::make_unique<TransportCommunicator>(make_transport(), timeout,
                                                              RankFolder::from_environment(rank_, size_));
  if (on_failure) communicator->on_failure(std::move(on_failure));
  communicator->exchange_hosts(common::host_name());
  return communicator;
}

}  // namespace layerpipe::comm::mpi
