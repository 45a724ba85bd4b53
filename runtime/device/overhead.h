// What a device takes beside the tensors that are asked for.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace layerpipe::runtime {

// What a process takes of a device before it has made a tensor, as plans count it.
std::uint64_t context_bytes(const at::Device& device);

// The same, and what is taken by the first products and kernels that it calls.
std::uint64_t first_use_bytes(const at::Device& device);

// What is taken of a device once weights stream to it, beside them.
std::uint64_t streaming_bytes(const at::Device& device);

// The memory that LibTorch takes from a device for a tensor that lives long.
std::uint64_t reserved_bytes(std::uint64_t tensor_bytes, const at::Device& device);

}  // namespace layerpipe::runtime
