// NCCL between two ranks, in one direction. The only header that sees nccl.h.
#pragma once

#include <c10/cuda/CUDAStream.h>
#include <nccl.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <utility>

#include "comm/boundary.h"

namespace layerpipe::comm {

// Where NCCL fails, or does not answer.
inline constexpr const char* kNcclRemedy =
    "Set NCCL_DEBUG=WARN to see what NCCL says, or choose the channel mpi.";

// A communicator of two ranks, the sender and the receiver: one for every directed edge of the ring.
//
// Why not one for the whole ring, which would take less memory: NCCL runs the operations of a communicator
// one after another, whatever their streams. In a ring every rank sends while its predecessor sends to it;
// each send would wait for a receive that stands behind the receiver's own send: a deadlock as soon as a
// boundary is larger than NCCL's buffers. What a communicator costs is kept small by few CTAs instead, which
// also leaves the multiprocessors to the computation beside it (design.md, comm).
//
// Called by one thread at a time, with the device current. Calls do not wait for the GPU.
class NcclEdge {
 public:
  using Id = std::array<std::byte, NCCL_UNIQUE_ID_BYTES>;
  enum class End : int { kSend = 0, kReceive = 1 };
  // Called again and again while NCCL has not settled a call, with how long that has taken; throws to give
  // up.
  using Patience = std::function<void(std::chrono::steady_clock::duration waited)>;

  static Id make_id();
  explicit NcclEdge(Patience patience);
  // Ends what is under way, which may take until the other end does so too.
  ~NcclEdge();
  NcclEdge(const NcclEdge&) = delete;
  NcclEdge& operator=(const NcclEdge&) = delete;

  // Comes back when both ends are there. This and everything below throws PeerFailedError with NCCL's own
  // text, or DoesNotFitError when NCCL finds too little memory here.
  void join(const Id& id, End end);
  // For the calls from now on.
  void set_patience(Patience patience) { patience_ = std::move(patience); }

  // Puts the transfer of all tensors on the stream.
  void send(const Boundary& boundary, c10::cuda::CUDAStream stream);
  void receive(const Boundary& boundary, c10::cuda::CUDAStream stream);
  // Throws when NCCL has found an error since.
  void check();
  // The end in peace, when nothing is under way any more.
  void finish() noexcept;

 private:
  void abort() noexcept;
  void settle(ncclResult_t result, const char* call);
  template <typename Transfer>
  void group(const Boundary& boundary, Transfer transfer);

  Patience patience_;
  ncclComm_t comm_ = nullptr;
};

}  // namespace layerpipe::comm
