// Host memory that a GPU reads by itself.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/Stream.h>

#include <cstdint>

namespace layerpipe::model::kernels {

// Whether the driver pins pages that are mapped read-only; false in a build without kernels.
bool can_pin_read_only(const c10::Device& device);

// Pins mapped pages, which are brought from the disk where they are not in memory, for all GPUs. Whether it
// did; where not (a file system that does not allow it, a page that cannot be read), all is as before.
bool pin_read_only(void* data, std::uint64_t bytes);
void unpin(void* data);

// The stream of a GPU that what streams comes over: one for all who ask, and until the process ends. Beside
// LibTorch's pool of 32, which takes 0.07 GiB of the GPU with the first, this takes hardly anything. One of
// that pool in a build without kernels.
c10::Stream copy_stream(const c10::Device& device);

}  // namespace layerpipe::model::kernels
