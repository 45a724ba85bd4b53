// The option of commands that write files whose names they choose themselves.
#pragma once

#include <string>

#include "results/result_folder.h"

namespace layerpipe::launch {

class OptionGroup;
class OptionValues;

// Adds --overwrite, with a help of the command's own where it writes elsewhere than to --out.
void add_overwrite_option(const OptionGroup& group,
                          const std::string& help =
                              "Replace files in --out that stand in the way, also those of others and "
                              "edited ones");
results::Overwrite read_overwrite(const OptionValues& values);

}  // namespace layerpipe::launch
