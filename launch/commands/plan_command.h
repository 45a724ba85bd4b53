// `layerpipe plan`: who would hold what, without reading a weight.
#pragma once

#include "launch/options/command.h"

namespace layerpipe::launch {

Command plan_command();

}  // namespace layerpipe::launch
