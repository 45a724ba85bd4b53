// A model folder that has been opened: configs, tokenizer, and where the weights come from.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/tokenizer/tokenizer.h"
#include "model/weights/tensor_source.h"
#include "model/weights/weight_files.h"
#include "partition/network.h"

namespace layerpipe::model {
class SafetensorsSource;
}

namespace layerpipe::runtime {

enum class WeightOrigin { kFiles, kRandom };

// How the transformer's large matrices are held, whatever is computed in. Files that are quantised stay so.
enum class Linears {
  kAsStored,  // in the compute dtype, or as the files quantise them
  kFp8        // those of model/transformer/fp8_layers.h in e4m3, and multiplied so where the device can
};

// Immutable, and used by several threads at once.
class ModelFolder {
 public:
  // Reads config files, tokenizer and the headers of all weight files; reads no weights. `variant` is that of
  // --variant; empty without one. Throws InputError, also when no component has weights of that variant.
  ModelFolder(const std::filesystem::path& folder, WeightOrigin origin, const std::string& variant = {},
              const model::ComponentFiles& files = {});

  const std::filesystem::path& path() const noexcept { return path_; }
  const model::ModelConfig& config() const noexcept { return config_; }
  const model::Tokenizer& tokenizer() const noexcept { return tokenizer_; }
  // The tensors of a network's component.
  const std::shared_ptr<const model::TensorSource>& source(partition::Network network) const {
    return sources_.at(partition::folder_of(network));
  }
  // The same as they are to be held. Throws InputError for kFp8 where no layer would be.
  std::shared_ptr<const model::TensorSource> source(partition::Network network, Linears linears) const;
  // What a person should know of the weight files, and of `linears` where they change nothing: sentences
  // without their end. Throws InputError for kFp8 where the transformer's weights are half quantised.
  std::vector<std::string> remarks(Linears linears) const;

 private:
  std::filesystem::path path_;
  model::ModelConfig config_;
  model::Tokenizer tokenizer_;
  std::map<std::string, std::shared_ptr<const model::TensorSource>> sources_;  // by component
  std::vector<std::string> remarks_;
  // Where the transformer's weights come from files: these, and what messages call them.
  std::shared_ptr<const model::SafetensorsSource> transformer_files_;
  std::string transformer_name_;
};

}  // namespace layerpipe::runtime
