// `layerpipe decompose`: pictures in, folders of layers out.
#pragma once

#include "launch/options/command.h"

namespace layerpipe::launch {

Command decompose_command();

}  // namespace layerpipe::launch
