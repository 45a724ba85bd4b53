// The ranks of a run: joined at its start, and told when one of them fails.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>

#include "comm/communicator.h"
#include "runtime/device/device.h"

namespace layerpipe::session {

// Runs `body` with the communicator of the ranks that mpirun started. When it throws and there are several
// ranks, the others are told why, one message is printed, and the process ends with the contract's exit code
// without coming back, since leaving MPI would wait for ranks that are dead. On a rank that is alone what
// `body` throws passes. `doing` says what the program is at, for messages; `stop_signal` is the signal that
// asked to stop, or 0.
void on_all_ranks(std::chrono::milliseconds timeout, const std::string& doing,
                  const std::atomic<int>& stop_signal, const std::function<void(comm::Communicator&)>& body);

// This rank's place among those of its host.
runtime::HostPlace host_place(const comm::Communicator& communicator);

// Keeps this rank, from now on, on the cores near its GPU (runtime/device/locality.h), with no more of
// LibTorch's CPU threads than they are. Does nothing on a CPU.
void stay_near(const runtime::DeviceFacts& device);

// Gives LibTorch's CPU threads their share of the cores that this process may use, by its affinity and by its
// control groups (runtime/device/host_share.h), unless OMP_NUM_THREADS says how many. Called by all ranks.
void share_cores(comm::Communicator& communicator);

}  // namespace layerpipe::session
