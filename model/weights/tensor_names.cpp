#include "model/weights/tensor_names.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include "common/errors.h"
#include "model/weights/foreign_weights.h"
#include "model/weights/quantised_formats.h"

namespace layerpipe::model {
namespace {

// No network of ours has a module of such a name.
constexpr std::array<std::string_view, 10> kPrefixes{
    "model.diffusion_model.", "diffusion_model.",     "transformer.", "vae.",
    "first_stage_model.",     "text_encoder.",        "_orig_mod.",   "module.",
    "base_model.model.",      "_fsdp_wrapped_module."};

// Around single layers: torch.compile, FSDP, checkpointing of activations, PEFT.
constexpr std::array<std::string_view, 4> kWrappers{"._orig_mod.", "._fsdp_wrapped_module.",
                                                    "._checkpoint_wrapped_module.", ".base_layer."};

std::string without_wrappers(std::string name) {
  for (const std::string_view wrapper : kWrappers) {
    for (auto at = name.find(wrapper); at != name.npos; at = name.find(wrapper)) {
      name.erase(at, wrapper.size() - 1);  // one of its two dots stays
    }
  }
  return name;
}

std::string quoted(const std::string& name) {
  return "\"" + name + "\"";
}

[[noreturn]] void refuse_twins(const std::string& where, const std::string& one, const std::string& other,
                               const std::string& name) {
  throw common::InputError(
      where + ": the tensors " + quoted(one) + " and " + quoted(other) + " would both be " + quoted(name),
      "Save the model again without what was wrapped around it, so that each weight is "
      "there once.");
}

// How many of the names, behind what has been left out already, begin with `prefix`.
std::size_t count(const std::vector<std::string>& names, std::size_t left_out, std::string_view prefix) {
  return static_cast<std::size_t>(std::count_if(names.begin(), names.end(), [&](const std::string& name) {
    return std::string_view(name).substr(left_out).starts_with(prefix);
  }));
}

// Leaves out prefixes that all have, and notes one that some have. Marks of quantised weights may stand
// without the prefix that the weights have, so they do not count.
void find_prefix(const std::vector<std::string>& weights, TensorNames& names) {
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view prefix : kPrefixes) {
      const std::size_t having = count(weights, names.prefix.size(), prefix);
      if (having == weights.size()) {
        names.prefix += prefix;
        found = true;
        break;
      }
    }
  }
  for (const std::string_view prefix : kPrefixes) {
    const std::size_t having = count(weights, names.prefix.size(), prefix);
    if (having <= names.with_partial_prefix) continue;
    names.partial_prefix = prefix;
    names.with_partial_prefix = having;
  }
}

// A weight with a prefix that not all have, and its like without it, are two candidates for one.
void check_partial_prefix(const std::string& where, const TensorNames& names) {
  if (names.partial_prefix.empty()) return;
  for (const auto& [name, stored] : names.stored) {
    if (!name.starts_with(names.partial_prefix)) continue;
    const std::string bare = name.substr(names.partial_prefix.size());
    const auto twin = names.stored.find(bare);
    if (twin != names.stored.end()) refuse_twins(where, stored, twin->second, bare);
  }
}

// The VAE as it was published for Wan, and as ComfyUI keeps it: the same weights, with other names and
// shapes.
void refuse_names_of_wan(const std::string& where, const std::vector<std::string>& names) {
  const auto found = std::find_if(names.begin(), names.end(), [](const std::string& name) {
    return name.find("decoder.upsamples.") != name.npos;
  });
  if (found == names.end()) return;
  throw common::InputError(where + ": the tensors have the names of ComfyUI and Wan, such as " +
                               quoted(*found) + "; layerpipe reads those of diffusers",
                           kDownloadOriginal);
}

void refuse_adapter_alone(const std::string& where, const std::vector<std::string>& adapters) {
  throw common::InputError(where + ": there are only tensors of an adapter (" +
                               std::string(adapter_of(adapters.front())) + "), such as " +
                               quoted(adapters.front()) + ", and not the weights that it changes",
                           "Put the model's own weights there.");
}

}  // namespace

TensorNames read_tensor_names(const std::vector<std::string>& names, const std::string& where) {
  if (const auto quantisation = quantisation_of(names)) {
    throw common::InputError(where + ": the weights are quantised in the form of " + quantisation->form +
                                 ", as the tensor " + quoted(quantisation->tensor) +
                                 " shows; layerpipe does not read that",
                             kDownloadOriginal);
  }
  refuse_names_of_wan(where, names);
  TensorNames found;
  std::vector<std::string> weights;
  for (const std::string& name : names) (adapter_of(name).empty() ? weights : found.adapters).push_back(name);
  if (weights.empty() && !found.adapters.empty()) refuse_adapter_alone(where, found.adapters);
  std::vector<std::string> named;
  std::copy_if(weights.begin(), weights.end(), std::back_inserter(named),
               [](const std::string& name) { return !is_of_quantisation(name); });
  if (!named.empty()) find_prefix(named, found);
  for (const std::string& stored : weights) {
    const std::size_t left_out = stored.starts_with(found.prefix) ? found.prefix.size() : 0;
    const std::string name = without_wrappers(stored.substr(left_out));
    const auto [place, is_new] = found.stored.emplace(name, stored);
    if (!is_new) refuse_twins(where, place->second, stored, name);
  }
  check_partial_prefix(where, found);
  for (const std::string& stored : found.adapters) found.stored.emplace(stored, stored);
  return found;
}

}  // namespace layerpipe::model
