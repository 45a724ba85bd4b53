// The options that say which model: the same for every command that takes one.
#pragma once

#include <filesystem>
#include <string>

namespace layerpipe::launch {

class OptionGroup;
class OptionValues;

struct ModelOptions {
  std::filesystem::path folder;
  std::string variant;  // of the weight files; empty when it was not given
};

// Adds --model, with a help of the command's own where it means something else there.
void add_model_option(const OptionGroup& group, const std::string& help = "Model folder in diffusers layout");
// Adds --variant; `otherwise` is what counts when it is not given.
void add_variant_option(const OptionGroup& group,
                        const std::string& otherwise = "plain, or the only ones there");

// Throws InputError, as for the option, when a variant that was recorded cannot be one.
void check_variant_name(const std::string& variant);

// Reads both. Throws InputError naming the option.
ModelOptions read_model_options(const OptionValues& values);

}  // namespace layerpipe::launch
