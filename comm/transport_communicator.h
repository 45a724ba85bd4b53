// The communicator of every back end: built on a transport.
#pragma once

#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "comm/heartbeat.h"
#include "comm/rank_monitor.h"
#include "comm/transport.h"

namespace layerpipe::comm {

// Threads that channels left behind when they were closed, and that end in their own time.
class ClosingThreads {
 public:
  // `ended` is set by the thread at its end.
  void add(std::thread thread, std::future<void> ended);
  // Waits until the deadline for those so far. The rest is left alone: it may stand still for good.
  void join(Clock::time_point deadline);

 private:
  struct ClosingThread {
    std::thread thread;
    std::future<void> ended;
  };
  std::mutex mutex_;
  std::vector<ClosingThread> threads_;
};

// What channels share with their communicator. The monitor goes last: completions hold it.
struct Link {
  std::shared_ptr<RankMonitor> monitor;
  std::shared_ptr<Transport> transport;
  // Of channels over NCCL (nccl_worker.h): held while this rank connects an edge; and the threads of those
  // that are closed.
  std::shared_ptr<std::timed_mutex> connecting = std::make_shared<std::timed_mutex>();
  std::shared_ptr<ClosingThreads> closing_threads = std::make_shared<ClosingThreads>();
};

// Messages to all go through a star around rank 0: they are rare and small, and a star names the rank that
// does not come.
class TransportCommunicator : public Communicator {
 public:
  TransportCommunicator(std::shared_ptr<Transport> transport, std::chrono::milliseconds timeout);
  ~TransportCommunicator() override;

  int rank() const override { return link_.monitor->rank(); }
  int size() const override { return link_.monitor->size(); }
  const std::string& host(int rank) const override { return link_.monitor->host(rank); }
  std::chrono::milliseconds timeout() const override { return link_.monitor->timeout(); }

  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine,
                                                 const std::string& what) override;
  std::vector<std::byte> broadcast(std::vector<std::byte> bytes, int root, const std::string& what) override;
  void barrier(const std::string& what) override { all_gather({}, what); }

  std::unique_ptr<SendChannel> open_send(int to, const ChannelOptions& options) override;
  std::unique_ptr<ReceiveChannel> open_receive(int from, const ChannelOptions& options) override;

  void report_progress() noexcept override { link_.monitor->moved(); }
  void now_doing(std::string doing) override { link_.monitor->now_doing(std::move(doing)); }
  void abort(Failure failure) noexcept override;
  std::optional<Failure> failure() const override { return link_.monitor->failure(); }
  void check() override { link_.monitor->check(); }
  void on_failure(std::function<void(const Failure&)> handler) override {
    link_.monitor->on_failure(std::move(handler));
  }

  // Called by all ranks before anything else: tells them each other's hosts.
  void exchange_hosts(const std::string& mine);
  // Or, where all ranks are threads of one process, without asking.
  void set_host_of_all(const std::string& host);

 private:
  void send(int to, std::vector<std::byte> bytes);
  std::vector<std::byte> receive(int from, const std::string& what);
  void require_rank(int rank) const;

  Link link_;
  std::set<std::pair<int, int>> sends_;     // peer and number of the channels opened so far
  std::set<std::pair<int, int>> receives_;  // the same
  std::unique_ptr<Heartbeat> heartbeat_;
};

}  // namespace layerpipe::comm
