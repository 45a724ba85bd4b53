// `layerpipe merge`: the composite of layers that were edited elsewhere.
#pragma once

#include "launch/options/command.h"

namespace layerpipe::launch {

Command merge_command();

}  // namespace layerpipe::launch
