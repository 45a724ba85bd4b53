// Values of options as they were written, on the command line or in an earlier run.json, and what is said
// when one is none. Every function throws InputError that names the option.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "results/formats.h"

namespace layerpipe::session {

struct OptionText {
  const std::string& option;  // "--steps"
  const std::string& text;
  const std::string& remedy;  // where a person finds what the option takes
};

std::string read_text(const OptionText& value);  // UTF-8, may be empty
std::filesystem::path read_path(const OptionText& value);
std::string read_choice(const OptionText& value, const std::vector<std::string>& choices);
double read_number(const OptionText& value, double least, double most);
std::int64_t read_whole_number(const OptionText& value, std::int64_t least, std::int64_t most);
std::uint64_t read_seed(const OptionText& value);

// The formats of a list with commas, in the order of kFormats. Refuses one that is not `known`, is there
// twice or is left out.
std::vector<results::Format> read_formats(const OptionText& value, std::span<const results::Format> known);

}  // namespace layerpipe::session
