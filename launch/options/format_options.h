// --format and --drop-empty, which several commands have.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "results/formats.h"

namespace layerpipe::launch {

class OptionValues;

// The formats of a list with commas, in the order of kFormats. Throws InputError naming the option when one
// is not `known`, is there twice or is left out.
void read_formats(const OptionValues& values, const std::string& option,
                  std::span<const results::Format> known, std::vector<results::Format>& formats);

// What the help of --drop-empty says.
inline constexpr const char* kDropEmptyHelp =
    "Leave layers without a visible pixel out of documents and the ZIP; PNG files keep their numbers";

}  // namespace layerpipe::launch
