// A model folder as a whole: model_index.json, and whether the components fit together.
#include "common/errors.h"
#include "model/config.h"
#include "model/json_fields.h"
#include "model/model_place.h"
#include "model/quantisation_config.h"

namespace layerpipe::model {
namespace {

constexpr const char* kGiveLayered = "Give the folder of a Qwen-Image-Layered model to --model.";

constexpr const char* kOneModel = "Check that all components belong to the same model.";

// `file` of the model folder; refuses a folder without it.
std::filesystem::path existing(const std::filesystem::path& folder, const std::string& file) {
  std::filesystem::path path = folder / file;
  if (std::filesystem::exists(path)) return path;
  throw common::InputError(path.string() + " is missing", "Copy or download the model's missing files.");
}

// [null, null] of a component that the pipeline was saved without.
bool is_absent(const nlohmann::json& value) {
  return value.is_array() && value.size() == 2 && value[0].is_null() && value[1].is_null();
}

void check_there(const JsonFields& index, const nlohmann::json& value, const std::string& name) {
  if (!is_absent(value)) return;
  throw common::InputError(
      index.where() + ": component \"" + name + "\" is [null,null]: the pipeline was saved without it",
      "Give a folder with all components to --model, or copy \"" + name +
          "\", with its entry in model_index.json, from the model's original folder.");
}

void check_component(const JsonFields& index, const nlohmann::json& value, const std::string& name,
                     const std::string& expected_class) {
  check_there(index, value, name);
  const bool pair = value.is_array() && value.size() == 2 && value[1].is_string();
  if (!pair || value[1] != expected_class) {
    throw common::InputError(index.where() + ": component \"" + name + "\" is " + shown(value) +
                                 "; layerpipe needs " + expected_class,
                             kGiveLayered);
  }
}

// The components are checked by their classes; that of the tokenizer is found in its own files.
PipelineClass read_model_index(JsonFields index) {
  const auto class_name = index.get<std::string>("_class_name");
  const bool layered = class_name == to_string(PipelineClass::kLayered);
  if (!layered && class_name != to_string(PipelineClass::kTextToImage)) {
    throw common::InputError(index.where() + ": the pipeline class is " + shown(class_name) +
                                 "; layerpipe runs QwenImageLayeredPipeline and QwenImagePipeline",
                             kGiveLayered);
  }
  check_component(index, index.get<nlohmann::json>("transformer"), "transformer",
                  "QwenImageTransformer2DModel");
  check_component(index, index.get<nlohmann::json>("vae"), "vae", "AutoencoderKLQwenImage");
  check_component(index, index.get<nlohmann::json>("text_encoder"), "text_encoder",
                  "Qwen2_5_VLForConditionalGeneration");
  check_component(index, index.get<nlohmann::json>("scheduler"), "scheduler",
                  "FlowMatchEulerDiscreteScheduler");
  check_there(index, index.get<nlohmann::json>("tokenizer"), "tokenizer");
  index.without_effect({"_diffusers_version", "_name_or_path", "processor"});
  index.without_effect_where(is_absent);
  index.finish();
  return layered ? PipelineClass::kLayered : PipelineClass::kTextToImage;
}

void check_fit(const ModelConfig& config, const std::string& where) {
  if (config.transformer.in_channels != 4 * config.vae.z_dim ||
      config.transformer.out_channels != config.vae.z_dim) {
    throw common::InputError(where + ": " + "transformer (in_channels " +
                                 std::to_string(config.transformer.in_channels) + ", out_channels " +
                                 std::to_string(config.transformer.out_channels) + ") and vae (z_dim " +
                                 std::to_string(config.vae.z_dim) + ") do not fit together",
                             kOneModel);
  }
  if (config.transformer.joint_attention_dim != config.text_encoder.hidden_size) {
    throw common::InputError(where + ": " + "transformer (joint_attention_dim " +
                                 std::to_string(config.transformer.joint_attention_dim) +
                                 ") and text_encoder (hidden_size " +
                                 std::to_string(config.text_encoder.hidden_size) + ") do not fit together",
                             kOneModel);
  }
  const bool layered = config.pipeline == PipelineClass::kLayered;
  if (layered && (!config.transformer.use_layer3d_rope || !config.transformer.use_additional_t_cond)) {
    throw common::InputError(where + ": a layered transformer has use_layer3d_rope and use_additional_t_cond",
                             kOneModel);
  }
}

}  // namespace

const char* to_string(PipelineClass pipeline) {
  return pipeline == PipelineClass::kLayered ? "QwenImageLayeredPipeline" : "QwenImagePipeline";
}

PipelineClass parse_model_index(std::string_view text, const std::string& name) {
  return read_model_index(JsonFields::from_text(text, name));
}

ModelConfig load_model_config(const std::filesystem::path& folder, const ComponentFiles& files) {
  const auto index_file = folder / "model_index.json";
  if (!std::filesystem::exists(index_file)) refuse_no_model(folder);
  ModelConfig config;
  config.pipeline = read_model_index(JsonFields::from_file(index_file));
  config.transformer = load_transformer_config(existing(folder, "transformer/config.json"));
  config.vae = load_vae_config(existing(folder, "vae/config.json"));
  config.text_encoder = load_text_encoder_config(existing(folder, "text_encoder/config.json"));
  for (const char* component : kComponents) {
    if (!files.contains(component)) refuse_quantised(folder / component / "config.json");
  }
  config.scheduler = load_scheduler_config(existing(folder, "scheduler/scheduler_config.json"));
  check_fit(config, folder.string());
  return config;
}

}  // namespace layerpipe::model
