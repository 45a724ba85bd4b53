#include "launch/options/model_options.h"

#include <algorithm>
#include <cctype>

#include "common/errors.h"
#include "launch/options/option_values.h"

namespace layerpipe::launch {

void add_model_option(const OptionGroup& group, const std::string& help) {
  group.add("--model", "FOLDER", help);
}

void add_variant_option(const OptionGroup& group, const std::string& otherwise) {
  group.add("--variant", "NAME",
            "Weight files with this in their names, such as bf16 in model.bf16.safetensors, or plain ones "
            "[default: " +
                otherwise + "]");
}

void add_component_file_options(const OptionGroup& group, const std::string& otherwise) {
  const std::string rest = ", in one safetensors file, quantised or not [default: " + otherwise + "]";
  group.add("--transformer", "FILE", "The transformer's weights" + rest);
  group.add("--text-encoder", "FILE", "The text encoder's weights" + rest);
}

void check_variant_name(const std::string& variant) {
  const bool is_name = std::all_of(variant.begin(), variant.end(), [](unsigned char letter) {
    return (letter < 0x80 && std::isalnum(letter) != 0) || letter == '_' || letter == '-';
  });
  if (is_name) return;
  throw common::InputError("--variant " + variant + " is not the name of a variant",
                           "Give what stands in the files' names, such as bf16 of model.bf16.safetensors.");
}

void check_no_files_beside_random_weights(const ModelOptions& options, bool random_weights) {
  if (!random_weights || options.files.empty()) return;
  for (const auto& [option, component] : kComponentFileOptions) {
    if (!options.files.contains(std::string(component))) continue;
    throw common::InputError(
        "--random-weights stands for the weights that --" + std::string(option) + " gives",
        "Leave one of the two out.");
  }
}

ModelOptions read_model_options(const OptionValues& values) {
  ModelOptions options;
  values.read_path("--model", options.folder);
  for (const auto& [option, component] : kComponentFileOptions) {
    const std::string name = "--" + std::string(option);
    if (values.given(name)) values.read_path(name, options.files[std::string(component)]);
  }
  if (!values.given("--variant")) return options;
  values.read_text("--variant", options.variant);
  if (options.variant.empty()) throw common::InputError("--variant is empty", values.remedy());
  check_variant_name(options.variant);
  return options;
}

}  // namespace layerpipe::launch
