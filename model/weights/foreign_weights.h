// Forms of weights that people have and that layerpipe does not read, recognised so that a message can name
// them. What each form looks like was seen in files, or in the program that writes it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::model {

// A cure for everything whose original is published.
inline constexpr const char* kDownloadOriginal =
    "Use the original weights, which \"hf download Qwen/Qwen-Image-Layered --local-dir Qwen-Image-Layered\" "
    "fetches.";

// Quantised weights, as the names of the tensors show them.
struct Quantisation {
  std::string form;    // "bitsandbytes (4 bits)"
  std::string tensor;  // one whose name shows it
};
std::optional<Quantisation> quantisation_of(const std::vector<std::string>& names);

// What a component's config says in "quantization_config", by its "quant_method" and what describes it
// further, both as a config writes them: "bitsandbytes (nf4)". Names that are not known stay as they are.
std::string quantisation_form(const std::string& method, const std::vector<std::string>& details);

// What adapter a tensor's name belongs to: "LoRA", "LoKr", "LoHa" and so on; empty for a weight.
std::string_view adapter_of(std::string_view tensor);

// A file that begins like no safetensors file, but like something else that gets there under its name. None
// when that is not known.
struct ForeignFile {
  std::string what;  // "is a pickle that torch.save wrote", behind the file's name
  std::string cure;
};
std::optional<ForeignFile> foreign_file(std::span<const std::byte> first_bytes);

}  // namespace layerpipe::model
