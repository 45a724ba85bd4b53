// Which files of a component's folder hold its weights: found by their names, before one is opened.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace layerpipe::model {

// The components of a model that have weights, by their folders.
inline constexpr std::array kComponents{"text_encoder", "transformer", "vae"};

// Stem of the files that hold a component's weights, in the layout of diffusers.
const char* weight_file_stem(std::string_view component);

// Files that hold all of a component, in place of the weights in its folder; by component.
using ComponentFiles = std::map<std::string, std::filesystem::path>;

// What --variant calls the files without a variant in their names.
inline constexpr const char* kPlainVariant = "plain";

// Names below the component's folder.
struct WeightFiles {
  std::string index;               // empty: there is none
  std::vector<std::string> files;  // without an index: all files, in the order of their numbers
  std::string variant;             // "bf16" of model.bf16.safetensors; empty: plain files
  bool has_own_name = false;       // the only file there, under a name that diffusers does not give
};

// The variants that a component has files of, by the names that diffusers and transformers give:
// <stem>.<variant>.safetensors, <stem>.safetensors.index.<variant>.json, and shards with either;
// kPlainVariant for files without one. Empty for a folder that is not there.
std::set<std::string> variants_of(const std::filesystem::path& folder, const std::string& stem);

// The files of the variant `wanted`, when the component has it; else the plain ones; else those of the only
// variant; else the only safetensors file, whatever its name. An empty `wanted` leaves it to that rule. An
// index goes before a single file, and that before shards without an index, of which none may be missing.
// Throws InputError that says what is there instead, and what to do: several variants, several files under
// names of their own, pickles, GGUF, a missing shard, nothing.
WeightFiles find_weight_files(const std::filesystem::path& folder, const std::string& stem,
                              const std::string& wanted);

// Throws InputError unless `variant` is empty or one of the components has files of it.
void check_variant(const std::filesystem::path& model, const std::string& variant);

}  // namespace layerpipe::model
