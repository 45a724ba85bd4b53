// The options that say which model: the same for every command that takes one.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "model/weights/weight_files.h"

namespace layerpipe::launch {

class OptionGroup;
class OptionValues;

struct ModelOptions {
  std::filesystem::path folder;
  std::string variant;  // of the weight files; empty when it was not given
  // --transformer and --text-encoder, by component.
  model::ComponentFiles files;
};

// Adds --model, with a help of the command's own where it means something else there.
void add_model_option(const OptionGroup& group, const std::string& help = "Model folder in diffusers layout");
// Adds --variant; `otherwise` is what counts when it is not given.
void add_variant_option(const OptionGroup& group,
                        const std::string& otherwise = "plain, or the only ones there");

// The options that name the file of a component, and the component.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kComponentFileOptions{
    {{"transformer", "transformer"}, {"text-encoder", "text_encoder"}}};
// Adds them; `otherwise` is what counts when one is not given.
void add_component_file_options(const OptionGroup& group,
                                const std::string& otherwise = "what lies in the model folder");

// Throws InputError, as for the option, when a variant that was recorded cannot be one.
void check_variant_name(const std::string& variant);

// Throws InputError naming the option.
void check_no_files_beside_random_weights(const ModelOptions& options, bool random_weights);

// Reads all of them. Throws InputError naming the option.
ModelOptions read_model_options(const OptionValues& values);

}  // namespace layerpipe::launch
