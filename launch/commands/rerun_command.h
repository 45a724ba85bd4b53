// `layerpipe rerun`: makes the picture of a run.json again, and says whether the bits agree.
#pragma once

#include "launch/options/command.h"

namespace layerpipe::launch {

Command rerun_command();

}  // namespace layerpipe::launch
