// Host memory that a GPU reads by itself.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace layerpipe::model::kernels {

// Whether the driver pins pages that are mapped read-only; false in a build without kernels.
bool can_pin_read_only(const c10::Device& device);

// Pins mapped pages, which are brought from the disk where they are not in memory, for all GPUs. Whether it
// did; where not (a file system that does not allow it, a page that cannot be read), all is as before.
bool pin_read_only(void* data, std::uint64_t bytes);
void unpin(void* data);

}  // namespace layerpipe::model::kernels
