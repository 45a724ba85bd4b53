// MPI for this process: from MPI_Init to MPI_Finalize. Hides mpi.h.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "comm/communicator.h"
#include "comm/mpi/meeting.h"
#include "comm/transport.h"

namespace layerpipe::comm::mpi {

class Engine;

// Made once per process, by main's thread, and outlives all its communicators. A thread of its own makes
// every call of MPI from then on, so data moves while other threads compute; it sleeps while there is nothing
// to do.
class Session {
 public:
  // Joins the ranks that a launcher started, or is alone. Throws PeerFailedError when MPI does not start, and
  // InputError when it cannot be called from a thread. It may find this process alone although a launcher
  // started several (launch_environment.h). MPI waits for all ranks without a deadline.
  Session();
  // The same with a deadline, where a keeper started the ranks (launch/keeper): when one does not come
  // (meeting.h), calls `missing` on another thread, which is to end the process.
  Session(std::chrono::milliseconds timeout, const std::function<void(const Absence&)>& missing);
  // Leaves MPI together with the other ranks. When they do not come within ten seconds, does not leave:
  // MPI_Finalize would wait for a dead rank for ever. A process that ends because of a failure is quicker
  // with _exit().
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  // Called by all ranks, in the same order. Waits for them with the deadline. The session outlives it.
  // `on_failure`: the communicator's first handler, which hears of what fails before this comes back, too.
  std::unique_ptr<Communicator> connect(std::chrono::milliseconds timeout,
                                        std::function<void(const Failure&)> on_failure = {});
  // The transport below a communicator. Called by all ranks, in the same order. Throws InternalError when MPI
  // has no tags left for another one.
  std::shared_ptr<Transport> make_transport();

 private:
  void join();

  std::unique_ptr<Engine> engine_;
  int rank_ = 0;
  int size_ = 1;
  int transports_ = 0;       // made so far
  int most_transports_ = 0;  // each takes kTagLimit tags of MPI's
};

}  // namespace layerpipe::comm::mpi
