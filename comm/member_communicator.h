// A communicator over some or all ranks of a transport.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "comm/channel_numbers.h"
#include "comm/communicator.h"
#include "comm/rank_monitor.h"
#include "comm/transport.h"

namespace layerpipe::comm {

// Threads that channels left behind when they were closed, and that end in their own time.
class ClosingThreads {
 public:
  // `ended` is set by the thread at its end. Joins those that have ended before.
  void add(std::thread thread, std::future<void> ended);
  // Whether the communicator goes: nothing is begun any more.
  bool is_leaving() const { return leaving_.load(); }
  // The communicator goes. Waits until the deadline for the threads so far. The rest is left alone: it may
  // stand still for good.
  void join(Clock::time_point deadline);

 private:
  struct ClosingThread {
    std::thread thread;
    std::future<void> ended;
  };
  std::mutex mutex_;
  std::vector<ClosingThread> threads_;
  std::atomic<bool> leaving_{false};
};

// What channels share with their communicator, and subsets with the whole set. The monitor goes last:
// completions hold it.
struct Link {
  std::shared_ptr<RankMonitor> monitor;
  std::shared_ptr<Transport> transport;
  std::shared_ptr<ChannelNumbers> numbers = std::make_shared<ChannelNumbers>();
  // Channels over NCCL use these (nccl_worker.h): a lock held while this rank connects an edge; the threads
  // of those that are closed.
  std::shared_ptr<std::timed_mutex> connecting = std::make_shared<std::timed_mutex>();
  std::shared_ptr<ClosingThreads> closing_threads = std::make_shared<ClosingThreads>();
};

// Messages to all go through a star around the first member: they are rare and small, and a star names the
// rank that does not come. Beneath it all ranks are numbers of the whole set.
class MemberCommunicator : public Communicator {
 public:
  // `members`: ranks of the transport, by this communicator's rank; its own is among them. `space`: tags.h.
  MemberCommunicator(Link link, std::vector<int> members, int space);

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(members_.size()); }
  const std::string& host(int rank) const override { return link_.monitor->host(member(rank)); }
  std::chrono::milliseconds timeout() const override { return link_.monitor->timeout(); }

  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine,
                                                 const std::string& what) override;
  std::vector<std::byte> broadcast(std::vector<std::byte> bytes, int root, const std::string& what) override;
  void barrier(const std::string& what) override { all_gather({}, what); }

  std::unique_ptr<SendChannel> open_send(int to, const ChannelOptions& options) override;
  std::unique_ptr<ReceiveChannel> open_receive(int from, const ChannelOptions& options) override;
  std::unique_ptr<Communicator> subset(std::span<const int> ranks) override;

  void report_progress() noexcept override { link_.monitor->moved(); }
  void now_doing(std::string doing) override { link_.monitor->now_doing(std::move(doing)); }
  void begin_idle() override { link_.monitor->begin_idle(); }
  void end_idle() noexcept override { link_.monitor->end_idle(); }
  void abort(Failure failure) noexcept override;
  std::optional<Failure> failure() const override { return link_.monitor->failure(); }
  void check() override { link_.monitor->check(); }
  void on_failure(std::function<void(const Failure&)> handler) override {
    link_.monitor->on_failure(std::move(handler));
  }

 protected:
  const Link& link() const { return link_; }

 private:
  void send(int to, std::vector<std::byte> bytes);
  std::vector<std::byte> receive(int from, const std::string& what);
  // The number in the whole set. Throws InternalError when there is no such rank here.
  int member(int rank) const;
  // The options with the channel's number among those of all spaces.
  ChannelOptions placed(ChannelOptions options) const;

  const Link link_;
  const std::vector<int> members_;
  const int space_;
  int rank_ = -1;
  int subsets_ = 0;  // made so far
};

}  // namespace layerpipe::comm
