// The thread of one end of an NCCL channel.
#pragma once

#include <c10/core/Event.h>
#include <c10/cuda/CUDAStream.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "comm/member_communicator.h"
#include "comm/nccl/nccl_edge.h"

namespace layerpipe::comm {

// Connects the edge, puts transfers on a high-priority stream in the order of tasks, sees when they end, asks
// NCCL for errors, and ends the kernels when the ranks have failed, since a kernel that waits for a dead peer
// would hold the whole device.
//
// A rank connects one edge at a time. Connecting allocates memory, loads kernels, and runs one that waits for
// the peer's, all of which can wait for each other: two edges between two ranks, connected by each in another
// order, would stand still for good. The lower of the two ranks takes its turn, and invites the higher one,
// which takes its own: whoever holds a turn waits for a higher rank only, so there is no circle.
//
// NCCL gives back what an edge took only when both ends ask for it, and holds the caller until then. Two
// ranks may close their edges in different orders, so the thread does that after close(), in its own time. An
// edge that is closed before it was connected is connected all the same, since the other end may need it, and
// the invitations of the next channel with this number must not meet this one's.
class NcclWorker : public std::enable_shared_from_this<NcclWorker> {
 public:
  static std::shared_ptr<NcclWorker> start(Link link, int peer, NcclEdge::End end,
                                           const ChannelOptions& options);
  // It is this channel's turn (channel_numbers.h): the thread, which waits for it, connects the edge. It
  // holds the turn until it ends.
  void begin(ChannelNumbers::Token turn);
  // Nothing may be submitted any more; transfers that are still under way after a second are ended.
  void close();
  // Comes back when the edge is connected. Throws PeerFailedError, or what failed on this rank's own device.
  void wait_until_connected();
  NcclWorker(const NcclWorker&) = delete;
  NcclWorker& operator=(const NcclWorker&) = delete;

  // What is under way: lives until the GPU is through with it.
  struct Transfer {
    Boundary boundary;
    c10::Event ended;
    std::function<void()> then;  // on the worker's thread
    std::chrono::steady_clock::time_point since;
  };
  // Called on the worker's thread with the device and the stream current; puts something on the stream and
  // gives back what to wait for. Any thread may submit; what is submitted after the end is dropped.
  using Task = std::function<Transfer(NcclEdge& edge, c10::cuda::CUDAStream stream)>;
  void submit(Task task);
  const c10::cuda::CUDAStream& stream() const { return stream_; }

 private:
  NcclWorker(Link link, int peer, NcclEdge::End end, const ChannelOptions& options);

  // The edge's name, from the rank that invites, and the other one's empty answer. Shared with completions.
  struct Invitation {
    NcclEdge::Id id;
    std::atomic<bool> came{false};  // the invitation, or the answer to it
  };
  bool invites() const { return link_.monitor->rank() < peer_; }
  void expect(std::span<std::byte> message);
  void send(std::span<const std::byte> message);
  void wait_for_turn();
  void wait_for_the_other();
  void check_wanted();

  void run();
  void make_edge(std::unique_ptr<NcclEdge>& edge);
  void be_patient(Clock::duration waited, Clock::time_point& told);
  void check_in_time(Clock::duration waited);
  void connect(NcclEdge& edge);
  void work(NcclEdge& edge);
  void finish_transfers(NcclEdge& edge);
  void look_at_transfers();
  void drop_what_is_left(std::unique_ptr<NcclEdge> edge) noexcept;

  const Link link_;
  const int peer_;
  const NcclEdge::End end_;
  const at::Device device_;
  const Tag invitation_tag_;
  const std::shared_ptr<Invitation> invitation_ = std::make_shared<Invitation>();
  const c10::cuda::CUDAStream stream_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool stop_ = false;
  ChannelNumbers::Token turn_;
  bool refuses_tasks_ = false;

  bool connected_ = false;          // guarded by the monitor's lock
  std::exception_ptr own_failure_;  // the same: that of this rank's device

  std::deque<Transfer> transfers_;   // of the thread alone
  std::promise<void> thread_ended_;  // set as the last thing that the thread does
  std::thread thread_;
};

}  // namespace layerpipe::comm
