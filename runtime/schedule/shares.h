// Dealing equal pieces of work out by shares. Pure. Standard library only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/range.h"
#include "partition/plan.h"

namespace layerpipe::runtime {

// Cuts 0 … count − 1 into one contiguous range for each share, in proportion to the shares (not negative, not
// all zero): a range ends where the shares up to it end, rounded to whole pieces.
std::vector<common::Range> deal(std::int64_t count, std::span<const double> shares);

// Strips of the VAE, or layers · strips, to the stages of a plan: a range for each.
std::vector<common::Range> deal_strips(std::int64_t count, const partition::Plan& plan);

}  // namespace layerpipe::runtime
