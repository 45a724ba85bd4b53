// Some of many, evenly between the others.
#pragma once

#include <cstdint>
#include <vector>

namespace layerpipe::common {

// Which of `count` things, counted from 0, are the `chosen` ones, when these lie as evenly between the others
// as can be. Throws InternalError unless 0 ≤ chosen ≤ count.
std::vector<bool> spread(std::int64_t chosen, std::int64_t count);

}  // namespace layerpipe::common
