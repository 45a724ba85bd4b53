// The table of commands.
#pragma once

#include <vector>

#include "launch/options/command.h"

namespace layerpipe::launch {

// The commands are in the order in which the help lists them.
std::vector<Command> all_commands();

}  // namespace layerpipe::launch
