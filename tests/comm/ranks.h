// Runs a test's body on all ranks of a back end. One program per back end: ranks_local.cpp, ranks_mpi.cpp.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace layerpipe::testing {

// The numbers of ranks that this program tests with.
std::vector<int> sizes_of_sets();

// Which channels are tested: options_host.cpp, options_nccl.cpp.
comm::ChannelOptions channel_options(int channel = 0, int depth = 1);
// Why this machine cannot test them with so many ranks; empty when it can.
std::string why_skipped(int ranks);

// How often a test opens channels anew: a session's worth, unless that takes too long.
int reopenings();

// Calls body(communicator) on every rank, each with a communicator of its own that is gone afterwards. An
// exception fails the test and is told to the other ranks. By default no wait is to last so long.
void on_all_ranks(int size, const std::function<void(comm::Communicator&)>& body,
                  std::chrono::milliseconds timeout = std::chrono::seconds(20));

// The body with all that, for the back ends.
void run_body(const std::function<void(comm::Communicator&)>& body, comm::Communicator& communicator);

}  // namespace layerpipe::testing
