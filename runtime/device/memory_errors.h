// What is said when memory runs out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "common/errors.h"
#include "partition/phase.h"

namespace layerpipe::runtime {

// While a phase works: `weight_bytes` are those that were foretold for it, `libtorch_text` is what the
// allocator said.
common::DoesNotFitError out_of_memory(partition::Phase phase, std::uint64_t weight_bytes,
                                      const at::Device& device, const std::string& libtorch_text);

}  // namespace layerpipe::runtime
