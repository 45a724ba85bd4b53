// Tells all ranks that this one lives, how far it is and whether it failed; hears the same of them.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "comm/rank_folder.h"
#include "comm/rank_monitor.h"
#include "comm/transport.h"

namespace layerpipe::comm {

// A thread of its own, so that a rank that computes for minutes is known to live. The transport outlives it
// and is closed after it.
class Heartbeat {
 public:
  // Looks into `folder`, where there is one, for ranks of this host that died.
  Heartbeat(Transport& transport, std::shared_ptr<RankMonitor> monitor, std::optional<RankFolder> folder);
  // Comes back when the last pulse was sent: that this rank is done or why it failed.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  // What completions share with the thread: pulses under way, by rank.
  struct Sending {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<int> under_way;
  };
  void run();
  void listen(int from);
  // To every rank that has taken the one before, or to all.
  enum class To { kReady, kAll };
  void send(const std::vector<std::byte>& bytes, To to);
  // Until the pulses have been taken, or the time is up.
  void wait_until_taken(std::chrono::milliseconds limit);

  Transport& transport_;
  const std::shared_ptr<RankMonitor> monitor_;
  const std::optional<RankFolder> folder_;
  const std::shared_ptr<Sending> sending_;
  std::thread thread_;
};

}  // namespace layerpipe::comm
