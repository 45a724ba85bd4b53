// What the ranks of a host share: its memory and its cores, and those of the control groups that they are in.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "common/cgroup.h"

namespace layerpipe::runtime {

// On how many ranks of this rank's host each of `mine` stands, this rank among them: names of what processes
// of one machine can share. Called by all ranks; `what` is said when a rank fails meanwhile.
std::vector<int> count_sharers(comm::Communicator& communicator, std::span<const std::string> mine,
                               const char* what);

// The pool of which this rank has least when all who share one have as much of it: its `free` is that part.
// `sharers` are those of each of `pools`.
common::MemoryPool smallest_part(std::span<const common::MemoryPool> pools, std::span<const int> sharers);

// This rank's part of the memory of its host. Called by all ranks.
common::MemoryPool memory_share(comm::Communicator& communicator);

// How many threads this rank may keep busy, at least one. `sharers` are those of each of `pools`.
int thread_share(std::span<const common::CpuPool> pools, std::span<const int> sharers);

// The cores that this process may run on, as those share them who may run on the same, and the quotas of its
// control groups.
std::vector<common::CpuPool> cpu_pools();

}  // namespace layerpipe::runtime
