#include "comm/local/local_transport.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>

#include "comm/transport_communicator.h"
#include "common/errors.h"
#include "common/host_name.h"

namespace layerpipe::comm {
namespace {

struct Posted {
  std::span<const std::byte> source;  // of a send
  std::span<std::byte> target;        // of a receive
  Completion completion;
};

// A send that met its receive.
struct Match {
  int from;
  int to;
  Posted send;
  Posted receive;
};

class LocalWorld {
 public:
  LocalWorld() : thread_([this] { run(); }) {}
  ~LocalWorld() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  enum class Side { kSend, kReceive };
  void post(Side side, int from, int to, Tag tag, Posted posted) {
    {
      const std::lock_guard lock(mutex_);
      Stream& stream = streams_[{from, to, tag}];
      (side == Side::kSend ? stream.sends : stream.receives).push_back(std::move(posted));
      if (stream.sends.empty() || stream.receives.empty()) return;
      matches_.push_back({from, to, std::move(stream.sends.front()), std::move(stream.receives.front())});
      stream.sends.pop_front();
      stream.receives.pop_front();
    }
    changed_.notify_all();
  }

  // Returns when nothing of this rank is posted or under way any more.
  void withdraw(int rank) {
    std::vector<Posted> dropped;  // destroyed without the lock: what completions hold may be large
    std::unique_lock lock(mutex_);
    for (auto& [key, stream] : streams_) {
      const auto& [from, to, tag] = key;
      if (from == rank) std::move(stream.sends.begin(), stream.sends.end(), std::back_inserter(dropped));
      if (to == rank) std::move(stream.receives.begin(), stream.receives.end(), std::back_inserter(dropped));
      if (from == rank) stream.sends.clear();
      if (to == rank) stream.receives.clear();
    }
    changed_.wait(lock, [&] {
      const auto of_rank = [&](const Match& match) { return match.from == rank || match.to == rank; };
      return !(copying_ && (copying_->first == rank || copying_->second == rank)) &&
             std::none_of(matches_.begin(), matches_.end(), of_rank);
    });
  }

 private:
  struct Stream {
    std::deque<Posted> sends;
    std::deque<Posted> receives;
  };

  static void deliver(Match match) {
    Delivery sent{.bytes = match.send.source.size(), .error = nullptr};
    Delivery came = sent;
    if (match.send.source.size() > match.receive.target.size()) {
      came = {.bytes = 0,
              .error = std::make_exception_ptr(common::PeerFailedError(
                  "a message of " + std::to_string(match.send.source.size()) + " bytes came where at most " +
                      std::to_string(match.receive.target.size()) + " were expected",
                  "Start the same build of layerpipe on all ranks."))};
    } else if (!match.send.source.empty()) {
      std::memcpy(match.receive.target.data(), match.send.source.data(), match.send.source.size());
    }
    match.receive.completion(came);
    match.send.completion(sent);
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stop_ || !matches_.empty(); });
      if (matches_.empty()) return;
      Match match = std::move(matches_.front());
      matches_.pop_front();
      copying_ = {match.from, match.to};
      lock.unlock();
      deliver(std::move(match));
      lock.lock();
      copying_.reset();
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::tuple<int, int, Tag>, Stream> streams_;
  std::deque<Match> matches_;
  std::optional<std::pair<int, int>> copying_;  // from, to
  bool stop_ = false;
  std::thread thread_;
};

class LocalTransport : public Transport {
 public:
  LocalTransport(std::shared_ptr<LocalWorld> world, int rank, int size)
      : world_(std::move(world)), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void post_send(int to, Tag tag, std::span<const std::byte> bytes, Completion completion) override {
    if (closed_) return;
    world_->post(LocalWorld::Side::kSend, rank_, to, tag, {bytes, {}, std::move(completion)});
  }
  void post_receive(int from, Tag tag, std::span<std::byte> bytes, Completion completion) override {
    if (closed_) return;
    world_->post(LocalWorld::Side::kReceive, from, rank_, tag, {{}, bytes, std::move(completion)});
  }
  void close() noexcept override {
    closed_ = true;
    world_->withdraw(rank_);
  }

 private:
  const std::shared_ptr<LocalWorld> world_;
  const int rank_;
  const int size_;
  std::atomic<bool> closed_{false};
};

}  // namespace

std::vector<std::shared_ptr<Transport>> make_local_transports(int size) {
  common::ensure(size >= 1, "a set of ranks is empty");
  const auto world = std::make_shared<LocalWorld>();
  std::vector<std::shared_ptr<Transport>> transports;
  for (int rank = 0; rank < size; ++rank) {
    transports.push_back(std::make_shared<LocalTransport>(world, rank, size));
  }
  return transports;
}

std::vector<std::unique_ptr<Communicator>> connect_local(int size, std::chrono::milliseconds timeout) {
  const std::string host = common::host_name();
  std::vector<std::unique_ptr<Communicator>> communicators;
  for (auto& transport : make_local_transports(size)) {
    auto communicator = std::make_unique<TransportCommunicator>(std::move(transport), timeout);
    communicator->set_host_of_all(host);
    communicators.push_back(std::move(communicator));
  }
  return communicators;
}

}  // namespace layerpipe::comm
