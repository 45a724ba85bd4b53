// Dealing equal pieces of work out by shares. Pure. Standard library only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "partition/partition_config.h"

namespace layerpipe::runtime {

// Cuts 0 … count − 1 into one contiguous range for each share, in proportion to the shares (not negative, not
// all zero): a range ends where the shares up to it end, rounded to whole pieces.
std::vector<partition::UnitRange> deal(std::int64_t count, std::span<const double> shares);

}  // namespace layerpipe::runtime
