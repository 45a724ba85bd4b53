// What is said when memory does not suffice.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "common/errors.h"
#include "runtime/memory.h"
#include "runtime/network.h"

namespace layerpipe::runtime {

// Before the work: a network's weights take more than is free.
common::DoesNotFitError does_not_fit(Network network, std::uint64_t weight_bytes, const at::Device& device,
                                     const MemoryUse& memory);

// While a phase works: `weight_bytes` are those that were foretold for it, `libtorch_text` is what the
// allocator said.
common::DoesNotFitError out_of_memory(Phase phase, std::uint64_t weight_bytes, const at::Device& device,
                                      const std::string& libtorch_text);

}  // namespace layerpipe::runtime
