// The ranks of a run: joined at its start, and told when one of them fails.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>

#include "comm/communicator.h"
#include "runtime/device/device.h"

namespace layerpipe::session {

// Whom a signal asked to stop. kSilently: this rank, since the run is being ended; who ends it says why.
enum class Asked : int { kAllRanks, kThisRank, kSilently };

// What a signal handler notes: lock-free, so that it can.
struct StopRequest {
  std::atomic<int> signal{0};  // SIGINT or SIGTERM; 0: nobody asked. Set last
  std::atomic<Asked> asked{Asked::kAllRanks};
};

// Runs `body` with the communicator of the ranks that a launcher started. When it throws and there are
// several ranks, the others are told why, one message is printed, and the process ends with the contract's
// exit code without coming back, since leaving MPI would wait for ranks that are dead. On a rank that is
// alone what `body` throws passes. `doing` says what the program is at, for messages.
//
// Throws InputError where several processes were started together and MPI does not know of it: on one of
// them, while the others end with its exit code.
void on_all_ranks(std::chrono::milliseconds timeout, const std::string& doing, const StopRequest& stop,
                  const std::function<void(comm::Communicator&)>& body);

// This rank's place among those of its host.
runtime::HostPlace host_place(const comm::Communicator& communicator);

// Keeps this rank, from now on, on the cores near its GPU (runtime/device/locality.h), with no more of
// LibTorch's CPU threads than they are. Does nothing on a CPU.
void stay_near(const runtime::DeviceFacts& device);

// Gives LibTorch's CPU threads their share of the cores that this process may use, by its affinity and by its
// control groups (runtime/device/host_share.h), unless OMP_NUM_THREADS says how many. Called by all ranks.
void share_cores(comm::Communicator& communicator);

}  // namespace layerpipe::session
