// The thread of one end of an NCCL channel.
#pragma once

#include <c10/core/Event.h>
#include <c10/cuda/CUDAStream.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "comm/nccl/nccl_edge.h"
#include "comm/transport_communicator.h"

namespace layerpipe::comm {

// Makes the edge, puts transfers on a high-priority stream in the order of tasks, sees when they end, asks
// NCCL for errors, and ends the kernels when the ranks have failed, since a kernel that waits for a dead peer
// would hold the whole device.
class NcclWorker {
 public:
  NcclWorker(Link link, int peer, NcclEdge::End end, at::Device device);
  // Transfers that are still under way are ended.
  ~NcclWorker();
  NcclWorker(const NcclWorker&) = delete;
  NcclWorker& operator=(const NcclWorker&) = delete;

  // The communicator's name, once: it comes from the sender. Any thread.
  void set_id(const NcclEdge::Id& id);

  // What is under way: lives until the GPU is through with it.
  struct Transfer {
    Boundary boundary;
    c10::Event ended;
    std::function<void()> then;  // on the worker's thread
    std::chrono::steady_clock::time_point since;
  };
  // Called on the worker's thread with the device and the stream current; puts something on the stream and
  // gives back what to wait for. Any thread may submit.
  using Task = std::function<Transfer(NcclEdge& edge, c10::cuda::CUDAStream stream)>;
  void submit(Task task);
  const c10::cuda::CUDAStream& stream() const { return stream_; }

 private:
  void run();
  std::unique_ptr<NcclEdge> make_edge();
  void be_patient(Clock::duration waited, Clock::time_point& told);
  void connect(NcclEdge& edge);
  void work(NcclEdge& edge);
  void look_at_transfers(NcclEdge& edge);

  const Link link_;
  const int peer_;
  const NcclEdge::End end_;
  const at::Device device_;
  const c10::cuda::CUDAStream stream_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<NcclEdge::Id> id_;
  std::deque<Task> tasks_;
  bool stop_ = false;

  std::deque<Transfer> transfers_;  // of the thread alone
  std::thread thread_;
};

}  // namespace layerpipe::comm
