// A plan as the contract of the command line has it.
#pragma once

#include <string>

#include "partition/plan.h"

namespace layerpipe::runtime {

// One JSON object, indented, with a newline behind it; null where something is unknown. Ranges are half-open.
std::string plan_json(const partition::Plan& plan);

}  // namespace layerpipe::runtime
