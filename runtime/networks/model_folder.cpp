#include "runtime/networks/model_folder.h"

#include <string_view>

#include "common/errors.h"
#include "model/component.h"
#include "model/transformer/fp8_layers.h"
#include "model/weights/fp8_source.h"

namespace layerpipe::runtime {
namespace {

constexpr std::string_view kTransformer = "transformer";

}  // namespace

ModelFolder::ModelFolder(const std::filesystem::path& folder, WeightOrigin origin, const std::string& variant,
                         const model::ComponentFiles& files)
    : path_(folder),
      config_(model::load_model_config(folder, files)),
      tokenizer_(model::Tokenizer::load(folder / "tokenizer")) {
  if (tokenizer_.vocab_size() > config_.text_encoder.vocab_size) {
    throw common::InputError((folder / "tokenizer").string() + " has " +
                                 std::to_string(tokenizer_.vocab_size()) + " tokens, the text encoder " +
                                 std::to_string(config_.text_encoder.vocab_size),
                             "Check that both belong to the same model.");
  }
  if (origin == WeightOrigin::kRandom) {
    for (const char* component : model::kComponents)
      sources_[component] = std::make_shared<model::RandomTensorSource>(component, at::kBFloat16);
    return;
  }
  model::check_variant(folder, variant);
  for (const char* component : model::kComponents) {
    const auto source = model::open_component(folder, component, variant, files);
    for (const std::string& remark : source->remarks()) remarks_.push_back(remark);
    sources_[component] = source;
    if (component != kTransformer) continue;
    const auto file = files.find(component);
    transformer_files_ = source;
    transformer_name_ = (file == files.end() ? folder / component : file->second).string();
  }
}

std::vector<std::string> ModelFolder::remarks(Linears linears) const {
  std::vector<std::string> remarks = remarks_;
  if (linears == Linears::kFp8 && transformer_files_ && transformer_files_->is_quantised()) {
    remarks.push_back(transformer_name_ + " is quantised already (" +
                      to_string(transformer_files_->quantised().begin()->second.format) +
                      "): --dtype fp8 quantises nothing in it, and matrices that are wide there stay so");
  }
  return remarks;
}

std::shared_ptr<const model::TensorSource> ModelFolder::source(partition::Network network,
                                                               Linears linears) const {
  const auto& stored = source(network);
  if (linears == Linears::kAsStored || network != partition::Network::kTransformer) return stored;
  const std::int64_t layers = config_.transformer.num_layers;
  // What is quantised already is multiplied in fp8, however few blocks there are.
  if (!model::has_fp8_layers(layers) && !stored->is_quantised()) {
    throw common::InputError("--dtype fp8 is for no layer of a transformer of " + std::to_string(layers) +
                                 " block" + (layers == 1 ? "" : "s") +
                                 ": the first and the last one stay as they are",
                             "Take bf16.");
  }
  return std::make_shared<model::Fp8Source>(
      stored, [layers](const std::string& tensor) { return model::is_fp8_layer(tensor, layers); });
}

}  // namespace layerpipe::runtime
