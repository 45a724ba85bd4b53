// How much memory this process may have: what is free of the machine's, and within the control groups that it
// is in. Standard library only.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/cgroup.h"

namespace layerpipe::common {

// The machine's memory, and that of each group that limits this process's to less. The machine's is the
// first. `root` stands for /, for tests.
std::vector<MemoryPool> memory_pools(const std::filesystem::path& root = "/");

// The one of which least is free. Needs one.
const MemoryPool& tightest(std::span<const MemoryPool> pools);

// The one of memory_pools() of which least is free: what this process can have if nobody else takes it.
MemoryPool memory_left();

// How much of it is free, and who says so: "this machine has 2.00 GiB of 4.00 GiB free", "the cgroup /job has
// …".
std::string free_text(const MemoryPool& pool);

// Where a group's limit comes from: "a cgroup limits the memory to 400.00 MiB (/job)"; empty of the machine.
std::string limit_text(const MemoryPool& pool);

// What helps where memory lacks, to begin a list with: "Close other programs", "Raise the cgroup's limit".
const char* cure_text(const MemoryPool& pool);

}  // namespace layerpipe::common
