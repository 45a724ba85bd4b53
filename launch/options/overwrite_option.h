// The option of commands that write files whose names they choose themselves.
#pragma once

#include "results/result_folder.h"

namespace layerpipe::launch {

class OptionGroup;
class OptionValues;

void add_overwrite_option(const OptionGroup& group);
results::Overwrite read_overwrite(const OptionValues& values);

}  // namespace layerpipe::launch
