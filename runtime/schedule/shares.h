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

// Strips of the VAE, or layers · strips, to the ranks of a plan: a range for each, in the order of the
// topology's places.
std::vector<common::Range> deal_strips(std::int64_t count, const partition::Plan& plan);

// The wholes that a range of pieces, not empty, belongs to, each cut into `pieces` of them: the layers of a
// range of layers · strips.
common::Range wholes_of(const common::Range& range, std::int64_t pieces);

}  // namespace layerpipe::runtime
