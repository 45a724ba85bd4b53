#include "runtime/networks/model_folder.h"

#include "common/errors.h"
#include "model/weights/safetensors.h"

namespace layerpipe::runtime {

ModelFolder::ModelFolder(const std::filesystem::path& folder, WeightOrigin origin)
    : path_(folder),
      config_(model::load_model_config(folder)),
      tokenizer_(model::Tokenizer::load(folder / "tokenizer")) {
  if (tokenizer_.vocab_size() > config_.text_encoder.vocab_size) {
    throw common::InputError((folder / "tokenizer").string() + " has " +
                                 std::to_string(tokenizer_.vocab_size()) + " tokens, the text encoder " +
                                 std::to_string(config_.text_encoder.vocab_size),
                             "Check that both belong to the same model.");
  }
  for (const char* component : {"text_encoder", "transformer", "vae"}) {
    if (origin == WeightOrigin::kRandom) {
      sources_[component] = std::make_shared<model::RandomTensorSource>(component, at::kBFloat16);
    } else {
      sources_[component] =
          std::make_shared<model::SafetensorsSource>(folder / component, model::weight_file_stem(component));
    }
  }
}

}  // namespace layerpipe::runtime
