// `layerpipe export`: documents from a finished run.
#pragma once

#include "launch/options/command.h"

namespace layerpipe::launch {

Command export_command();

}  // namespace layerpipe::launch
