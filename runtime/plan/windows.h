// Which requests go through the phases together.
#pragma once

#include <cstdint>
#include <vector>

#include "common/range.h"
#include "partition/plan.h"

namespace layerpipe::runtime {

// The requests 0 … requests − 1 in windows, one after another. A window's results are there when it ends, and
// its pictures, prompts and latents are held meanwhile, so it is as small as it can be without waste: what
// the plan holds in flight; over several stages four times as much, since stages are idle while a window's
// first microbatches come and its last ones leave; and at least eight where weights come and go with every
// window.
std::vector<common::Range> windows_of(const partition::Plan& plan, std::int64_t requests);

}  // namespace layerpipe::runtime
