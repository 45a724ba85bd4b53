// `layerpipe quantize`: a model folder whose transformer lies in 8 bits on the disk.
#pragma once

#include "launch/options/command.h"

namespace layerpipe::launch {

Command quantize_command();

}  // namespace layerpipe::launch
