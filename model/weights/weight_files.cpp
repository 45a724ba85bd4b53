#include "model/weights/weight_files.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <regex>
#include <string_view>

#include "common/errors.h"
#include "common/texts.h"
#include "model/weights/foreign_weights.h"

namespace layerpipe::model {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".safetensors";
constexpr const char* kCopyTheMissing = "Copy or download the model's missing file.";

// The files of one variant.
struct Candidate {
  std::string index;
  std::string single;
  std::map<int, std::string> shards;  // by their numbers, from 1
  int shard_count = 0;                // as the names say it
};

struct Listing {
  std::map<std::string, Candidate> variants;
  std::vector<std::string> others;  // safetensors under other names
  std::vector<std::string> pickles;
  std::vector<std::string> gguf;
};

// A name behind the stem: "", ".bf16", "-00001-of-00002", and both in either order.
struct NameParts {
  std::string variant;
  int shard = 0;  // 0: no shard
  int shard_count = 0;
};

std::optional<NameParts> parts_of(const std::string& rest) {
  static const std::regex form(
      R"((?:\.([A-Za-z0-9_-]+?))?(?:-([0-9]{5})-of-([0-9]{5}))?(?:\.([A-Za-z0-9_-]+))?)");
  std::smatch match;
  if (!std::regex_match(rest, match, form) || (match[1].matched && match[4].matched)) return std::nullopt;
  NameParts parts{.variant = match[1].matched ? match[1] : match[4]};
  if (match[2].matched) {
    parts.shard = std::stoi(match[2]);
    parts.shard_count = std::stoi(match[3]);
  }
  return parts;
}

bool is_pickle(const fs::path& file) {
  constexpr std::array kExtensions{".bin", ".pt", ".pth", ".ckpt"};
  return std::find(kExtensions.begin(), kExtensions.end(), file.extension()) != kExtensions.end();
}

Candidate& candidate(Listing& listing, const std::string& variant) {
  return listing.variants[variant.empty() ? kPlainVariant : variant];
}

void add_safetensors(Listing& listing, const std::string& name, const std::string& stem) {
  const std::string body = name.substr(0, name.size() - kExtension.size());
  const auto parts = body.starts_with(stem) ? parts_of(body.substr(stem.size())) : std::nullopt;
  if (!parts) {
    listing.others.push_back(name);
    return;
  }
  Candidate& found = candidate(listing, parts->variant);
  if (parts->shard == 0) {
    found.single = name;
    return;
  }
  found.shards[parts->shard] = name;
  found.shard_count = std::max(found.shard_count, parts->shard_count);
}

// "<stem>.safetensors.index.json", "<stem>.safetensors.index.<variant>.json".
void add_index(Listing& listing, const std::string& name, const std::string& stem) {
  const std::string begin = stem + std::string(kExtension) + ".index";
  const std::string_view end = ".json";
  if (!name.starts_with(begin) || !name.ends_with(end) || name.size() < begin.size() + end.size()) return;
  const std::string rest = name.substr(begin.size(), name.size() - begin.size() - end.size());
  const auto parts = parts_of(rest);
  if (parts && parts->shard == 0) candidate(listing, parts->variant).index = name;
}

Listing list(const fs::path& folder, const std::string& stem) {
  Listing listing;
  std::error_code error;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::error_code unreadable;
    if (entry.is_regular_file(unreadable)) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name.ends_with(kExtension)) {
      add_safetensors(listing, name, stem);
    } else if (name.ends_with(".gguf")) {
      listing.gguf.push_back(name);
    } else if (is_pickle(name)) {
      listing.pickles.push_back(name);
    } else {
      add_index(listing, name, stem);
    }
  }
  return listing;
}

WeightFiles files_of(const fs::path& folder, const std::string& variant, const Candidate& found) {
  WeightFiles files{.index = found.index, .variant = variant == kPlainVariant ? "" : variant};
  if (!found.index.empty()) return files;
  if (!found.single.empty()) {
    files.files = {found.single};
    return files;
  }
  for (int number = 1; number <= found.shard_count; ++number) {
    const auto shard = found.shards.find(number);
    if (shard == found.shards.end()) {
      throw common::InputError(folder.string() + " has no index and lacks file " + std::to_string(number) +
                                   " of " + std::to_string(found.shard_count) + " beside " +
                                   found.shards.begin()->second,
                               kCopyTheMissing);
    }
    files.files.push_back(shard->second);
  }
  return files;
}

[[noreturn]] void refuse_choice(const fs::path& folder, const Listing& listing) {
  std::vector<std::string> names;
  std::vector<std::string> options;
  for (const auto& [variant, found] : listing.variants) {
    names.push_back(variant);
    options.push_back("--variant " + variant);
  }
  throw common::InputError(folder.string() + " has weights of the variants " + common::listed(names, "and") +
                               ", and none without a variant in their names",
                           "Choose one: " + common::listed(options, "or") + ".");
}

[[noreturn]] void refuse_other_names(const fs::path& folder, const Listing& listing,
                                     const std::string& stem) {
  const std::string name = stem + std::string(kExtension);
  throw common::InputError(folder.string() + " has no " + name + ", but several other files: " +
                               common::listed(common::first_of(listing.others), "and"),
                           "Rename the one that holds the weights to " + name + ", or leave it alone there.");
}

// The class that reads a component's folder in Python, and how it is told to keep the weights as they are.
struct PythonClass {
  const char* component;
  const char* module;
  const char* name;
  const char* dtype;
};
constexpr std::array kPythonClasses{
    PythonClass{"transformer", "diffusers", "QwenImageTransformer2DModel", "torch_dtype=torch.bfloat16"},
    PythonClass{"vae", "diffusers", "AutoencoderKLQwenImage", "torch_dtype=torch.bfloat16"},
    PythonClass{"text_encoder", "transformers", "Qwen2_5_VLForConditionalGeneration", "dtype=\"auto\""}};

// What diffusers and transformers read by themselves: their own names, with a variant or not, as shards or
// not.
std::optional<NameParts> parts_of_pickle(const std::string& file, const std::string& stem) {
  if (!file.ends_with(".bin")) return std::nullopt;
  const std::string body = file.substr(0, file.size() - 4);
  const std::string own_stem = stem == "model" ? "pytorch_model" : stem;  // of transformers
  return body.starts_with(own_stem) ? parts_of(body.substr(own_stem.size())) : std::nullopt;
}

std::string conversion(const fs::path& folder, const std::string& file, const std::string& stem) {
  const auto component = std::find_if(kPythonClasses.begin(), kPythonClasses.end(),
                                      [&](const PythonClass& c) { return folder.filename() == c.component; });
  const auto parts = parts_of_pickle(file, stem);
  if (component != kPythonClasses.end() && parts) {
    const std::string variant = parts->variant.empty() ? "" : ", variant=\"" + parts->variant + "\"";
    return std::string("python3 -c 'import sys, torch, ") + component->module + " as m; m." +
           component->name + ".from_pretrained(sys.argv[1], " + component->dtype + ", use_safetensors=False" +
           variant + ").save_pretrained(sys.argv[1])' " + common::shell_word(folder.string());
  }
  return "python3 -c 'import sys, torch, safetensors.torch as s; "
         "t = torch.load(sys.argv[1], map_location=\"cpu\", weights_only=True); "
         "s.save_file({k: v.clone(memory_format=torch.contiguous_format) "
         "for k, v in t.get(\"state_dict\", t).items()}, sys.argv[2])' " +
         common::shell_word((folder / file).string()) + " " +
         common::shell_word((folder / (stem + std::string(kExtension))).string());
}

[[noreturn]] void refuse_pickles(const fs::path& folder, const Listing& listing, const std::string& stem) {
  // What training leaves there ("optimizer.bin") is not what is meant.
  const auto known =
      std::find_if(listing.pickles.begin(), listing.pickles.end(),
                   [&](const std::string& name) { return parts_of_pickle(name, stem).has_value(); });
  const std::string& name = known == listing.pickles.end() ? listing.pickles.front() : *known;
  throw common::InputError(folder.string() + " has its weights as a pickle, " + name +
                               ", which can run code when it is read; layerpipe reads safetensors",
                           "Convert it: " + conversion(folder, name, stem));
}

}  // namespace

const char* weight_file_stem(std::string_view component) {
  return component == "text_encoder" ? "model" : "diffusion_pytorch_model";
}

void check_variant(const fs::path& model, const std::string& variant) {
  std::set<std::string> there;
  for (const char* component : kComponents)
    there.merge(variants_of(model / component, weight_file_stem(component)));
  // Where there are none at all, the first component says what is there instead.
  if (variant.empty() || there.empty() || there.contains(variant)) return;
  std::vector<std::string> options;
  for (const std::string& name : there) options.push_back("--variant " + name);
  throw common::InputError(
      "--variant " + variant + ": no component of " + model.string() + " has weights of that variant",
      "Take " + common::listed(options, "or") + ".");
}

std::set<std::string> variants_of(const fs::path& folder, const std::string& stem) {
  std::set<std::string> variants;
  for (const auto& [variant, found] : list(folder, stem).variants) variants.insert(variant);
  return variants;
}

WeightFiles find_weight_files(const fs::path& folder, const std::string& stem, const std::string& wanted) {
  const Listing listing = list(folder, stem);
  for (const std::string& variant : {wanted, std::string(kPlainVariant)}) {
    const auto found = listing.variants.find(variant);
    if (found != listing.variants.end()) return files_of(folder, variant, found->second);
  }
  if (listing.variants.size() == 1)
    return files_of(folder, listing.variants.begin()->first, listing.variants.begin()->second);
  if (listing.variants.size() > 1) refuse_choice(folder, listing);
  if (listing.others.size() == 1) return {.index = {}, .files = listing.others, .has_own_name = true};
  if (listing.others.size() > 1) refuse_other_names(folder, listing, stem);
  if (!listing.pickles.empty()) refuse_pickles(folder, listing, stem);
  if (!listing.gguf.empty()) {
    throw common::InputError(folder.string() + " has its weights as GGUF, " + listing.gguf.front() +
                                 "; layerpipe reads safetensors",
                             kDownloadOriginal);
  }
  throw common::InputError(
      folder.string() + " has neither " + stem + ".safetensors nor " + stem + ".safetensors.index.json",
      "Copy or download the model's weights, or try --random-weights.");
}

}  // namespace layerpipe::model
