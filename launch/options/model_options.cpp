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

void check_variant_name(const std::string& variant) {
  const bool is_name = std::all_of(variant.begin(), variant.end(), [](unsigned char letter) {
    return (letter < 0x80 && std::isalnum(letter) != 0) || letter == '_' || letter == '-';
  });
  if (is_name) return;
  throw common::InputError("--variant " + variant + " is not the name of a variant",
                           "Give what stands in the files' names, such as bf16 of model.bf16.safetensors.");
}

ModelOptions read_model_options(const OptionValues& values) {
  ModelOptions options;
  values.read_path("--model", options.folder);
  if (!values.given("--variant")) return options;
  values.read_text("--variant", options.variant);
  if (options.variant.empty()) throw common::InputError("--variant is empty", values.remedy());
  check_variant_name(options.variant);
  return options;
}

}  // namespace layerpipe::launch
