// How many requests go through the phases together.
#pragma once

#include <cstdint>

#include "partition/partition_config.h"

namespace layerpipe::partition {

// The most requests of a window (runtime/plan/windows.h) with so many of them in flight, over so many stages
// of all groups. A window's results are there when it ends, and its pictures, prompts and latents are held
// meanwhile, so it is as small as it can be without waste: what is in flight; over several stages four times
// as much, since stages are idle while a window's first microbatches come and its last ones leave; and at
// least eight where weights come and go with every window.
std::int64_t window_size(const PerComponent<Residency>& residency, std::int64_t in_flight,
                         std::int64_t stages);

}  // namespace layerpipe::partition
