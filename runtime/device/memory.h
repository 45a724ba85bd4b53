// How much memory there is, and how much of it this process takes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace layerpipe::runtime {

// The memory of the device that computes; for the CPU, of the machine, or of the control group that leaves
// least of it (common/host_memory.h). All members are bytes.
struct MemoryUse {
  std::uint64_t total = 0;
  std::uint64_t free = 0;    // what this process can still have, whoever holds the rest
  std::uint64_t in_use = 0;  // by this process: on a GPU what LibTorch holds for tensors, without the
                             // context; on the CPU the resident size, mapped files included
  std::uint64_t peak = 0;    // the most of `in_use` since reset_peak(), or since the process began
  std::string cgroup;        // of the CPU: that control group; empty: the machine itself
};

MemoryUse memory_use(const at::Device& device);

// Begins a new peak. A kernel that does not let a process do so for the CPU keeps the old one.
void reset_peak(const at::Device& device);

// Gives memory that nothing holds any more back: a GPU's to the driver, the host's to the system.
void release_unused(const at::Device& device);

}  // namespace layerpipe::runtime
