// `layerpipe inspect`: what a model folder holds, without reading a weight.
#pragma once

#include "launch/options/command.h"

namespace layerpipe::launch {

Command inspect_command();

}  // namespace layerpipe::launch
