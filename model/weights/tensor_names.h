// The names that a network knows its tensors by, behind the names that a file has for them.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace layerpipe::model {

struct TensorNames {
  // Left out in front of every name: "model.diffusion_model.", "module._orig_mod.".
  std::string prefix;
  // The name in the file, by the network's own. What an adapter has left among the weights keeps its name: no
  // network asks for it.
  std::map<std::string, std::string> stored;
  // Tensors of an adapter, by their names in the file.
  std::vector<std::string> adapters;
  // A prefix that only some names have, and which is therefore not left out; "" when there is none.
  std::string partial_prefix;
  std::size_t with_partial_prefix = 0;
};

// Programs put a prefix in front of all names: that of a single-file checkpoint, or of what was wrapped
// around the model when it was saved (torch.compile, DataParallel, PEFT). It is left out when every tensor
// has it, also several one after another. Wrappers around single layers are left out where they stand
// ("to_q.base_layer.weight").
//
// `where` is what messages call the file or the folder. Throws InputError when two names become one, when the
// weights are quantised in a form that is not read (model/weights/foreign_weights.h), when a VAE has the
// names of ComfyUI, and when there are only an adapter's tensors.
TensorNames read_tensor_names(const std::vector<std::string>& names, const std::string& where);

}  // namespace layerpipe::model
