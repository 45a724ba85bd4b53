// `layerpipe report`: what a run.json tells, as a page.
#pragma once

#include "launch/options/command.h"

namespace layerpipe::launch {

Command report_command();

}  // namespace layerpipe::launch
