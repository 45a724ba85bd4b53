// Which requests go through the phases together.
#pragma once

#include <cstdint>
#include <vector>

#include "common/range.h"
#include "partition/plan.h"

namespace layerpipe::runtime {

// The requests 0 … requests − 1 in windows of even sizes, one after another, of at most the plan's
// partition::window_size().
std::vector<common::Range> windows_of(const partition::Plan& plan, std::int64_t requests);

}  // namespace layerpipe::runtime
