// How much is to be made: the options that commands share.
#pragma once

#include "session/decompose_options.h"

namespace layerpipe::launch {

class OptionGroup;
class OptionValues;

// Adds --layers, --resolution, --any-resolution and --steps.
void add_work_options(const OptionGroup& group);

// Reads them. Throws InputError naming the option.
session::WorkOptions read_work_options(const OptionValues& values);

// Throws InputError unless the model was trained at `--resolution`, or any is allowed and it is a multiple.
void check_resolution(const session::WorkOptions& work);

}  // namespace layerpipe::launch
