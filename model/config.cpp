#include "model/config.h"

#include <algorithm>
#include <numeric>

#include "common/errors.h"
#include "model/json_fields.h"

namespace layerpipe::model {
namespace {

constexpr std::int64_t kLargestDimension = 1 << 20;

void check_range(const JsonFields& fields, const char* key, std::int64_t value, std::int64_t least,
                 std::int64_t most = kLargestDimension) {
  if (value < least || value > most) {
    throw common::InputError(fields.where() + ": field \"" + key + "\" is " + std::to_string(value) + "; " +
                                 std::to_string(least) + " to " + std::to_string(most) + " is possible",
                             kCopyTheFileAgain);
  }
}

constexpr const char* kGiveLayered = "Give the folder of a Qwen-Image-Layered model to --model.";

[[noreturn]] void refuse(const std::string& where, const std::string& what,
                         const char* remedy = kCopyTheFileAgain) {
  throw common::InputError(where + ": " + what, remedy);
}

// `file` of the model folder; refuses a folder without it.
std::filesystem::path existing(const std::filesystem::path& folder, const std::string& file) {
  std::filesystem::path path = folder / file;
  if (std::filesystem::exists(path)) return path;
  throw common::InputError(path.string() + " is missing", "Copy or download the model's missing files.");
}

const std::string kOtherFamily = "this setting belongs to another model family";

// Fields that transformers and diffusers write into every config, or into one written in full.
void skip_common(JsonFields& fields) {
  fields.without_effect({"_class_name", "_diffusers_version", "_name_or_path", "architectures",
                         "transformers_version", "torch_dtype", "dtype", "model_type", "output_hidden_states",
                         "output_attentions", "return_dict", "chunk_size_feed_forward", "is_encoder_decoder",
                         "id2label", "label2id", "problem_type"});
}

// Fields of a text encoder's config without effect on a prompt's embeddings.
void skip_text_fields(JsonFields& fields) {
  skip_common(fields);
  fields.without_effect({"attention_dropout", "bos_token_id", "eos_token_id", "pad_token_id",
                         "initializer_range", "max_position_embeddings", "max_window_layers",
                         "sliding_window", "use_cache", "tie_word_embeddings", "image_token_id",
                         "video_token_id", "vision_start_token_id", "vision_end_token_id",
                         "vision_token_id"});
}

// The rope_scaling / rope_parameters object of a text config. Returns rope_theta when the object holds it.
std::optional<double> read_rope(JsonFields fields, std::int64_t head_dim) {
  const std::string reason = "only plain rotary embeddings (default, mrope) are known";
  for (const char* key : {"type", "rope_type"}) {
    const auto type = fields.get<std::string>(key, "default");
    if (type != "default" && type != "mrope") fields.refuse(key, reason);
  }
  // The three position axes are equal for pure text, so the sections have no effect beyond having to fill a
  // head.
  const auto section = fields.get<std::vector<std::int64_t>>("mrope_section", std::vector<std::int64_t>{});
  if (!section.empty() && std::accumulate(section.begin(), section.end(), std::int64_t{0}) * 2 != head_dim) {
    fields.refuse("mrope_section", "its sum has to be half of a head (" + std::to_string(head_dim / 2) + ")");
  }
  std::optional<double> theta;
  if (fields.has("rope_theta")) theta = fields.get<double>("rope_theta");
  fields.finish();
  return theta;
}

TextEncoderConfig read_text_config(JsonFields& fields) {
  TextEncoderConfig config;
  config.vocab_size = fields.get<std::int64_t>("vocab_size");
  config.hidden_size = fields.get<std::int64_t>("hidden_size");
  config.intermediate_size = fields.get<std::int64_t>("intermediate_size");
  config.num_hidden_layers = fields.get<std::int64_t>("num_hidden_layers");
  config.num_attention_heads = fields.get<std::int64_t>("num_attention_heads");
  // Qwen2_5_VLTextConfig: 8 unless it is written; null means as many as there are heads.
  constexpr std::int64_t kDefaultKeyValueHeads = 8;
  config.num_key_value_heads = fields.get<std::int64_t>(
      "num_key_value_heads",
      fields.is_null("num_key_value_heads") ? config.num_attention_heads : kDefaultKeyValueHeads);
  config.rms_norm_eps = fields.get<double>("rms_norm_eps", 1e-5);
  check_range(fields, "vocab_size", config.vocab_size, 1, 1 << 24);
  check_range(fields, "hidden_size", config.hidden_size, 1);
  check_range(fields, "intermediate_size", config.intermediate_size, 1);
  check_range(fields, "num_hidden_layers", config.num_hidden_layers, 1, 10000);
  check_range(fields, "num_attention_heads", config.num_attention_heads, 1, 10000);
  check_range(fields, "num_key_value_heads", config.num_key_value_heads, 1, config.num_attention_heads);
  if (config.hidden_size % config.num_attention_heads != 0 ||
      config.num_attention_heads % config.num_key_value_heads != 0 || config.head_dim() % 2 != 0) {
    refuse(fields.where(), "hidden_size, num_attention_heads and num_key_value_heads do not divide evenly");
  }
  fields.only_supports("hidden_act", "silu", "the text encoder's activation is silu");
  fields.only_supports("use_sliding_window", false, "every layer attends to the whole prompt");
  fields.only_supports("attention_bias", true, "Qwen2.5 projects queries, keys and values with a bias");
  if (fields.has("layer_types")) {
    for (const auto& type : fields.get<std::vector<std::string>>("layer_types")) {
      if (type != "full_attention") fields.refuse("layer_types", "only full_attention is known");
    }
  }
  std::optional<double> theta;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!fields.has(key)) continue;
    if (const auto found = read_rope(fields.get_object(key), config.head_dim())) theta = found;
  }
  const double own_theta = fields.get<double>("rope_theta", 1e6);
  config.rope_theta = theta.value_or(own_theta);
  if (!(config.rms_norm_eps >= 0)) refuse(fields.where(), "\"rms_norm_eps\" has to be 0 or more");
  if (!(config.rope_theta > 0)) refuse(fields.where(), "\"rope_theta\" has to be above 0");
  skip_text_fields(fields);
  fields.without_effect({"layer_types", "rope_scaling", "rope_parameters"});  // read above unless null
  return config;
}

void check_component(const JsonFields& index, const nlohmann::json& value, const std::string& name,
                     const std::string& expected_class) {
  const bool pair = value.is_array() && value.size() == 2 && value[1].is_string();
  if (!pair || value[1] != expected_class) {
    throw common::InputError(index.where() + ": component \"" + name + "\" is " + value.dump() +
                                 "; layerpipe needs " + expected_class,
                             kGiveLayered);
  }
}

constexpr const char* kOneModel = "Check that all components belong to the same model.";

void check_fit(const ModelConfig& config, const std::string& where) {
  if (config.transformer.in_channels != 4 * config.vae.z_dim ||
      config.transformer.out_channels != config.vae.z_dim) {
    refuse(where,
           "transformer (in_channels " + std::to_string(config.transformer.in_channels) + ", out_channels " +
               std::to_string(config.transformer.out_channels) + ") and vae (z_dim " +
               std::to_string(config.vae.z_dim) + ") do not fit together",
           kOneModel);
  }
  if (config.transformer.joint_attention_dim != config.text_encoder.hidden_size) {
    refuse(where,
           "transformer (joint_attention_dim " + std::to_string(config.transformer.joint_attention_dim) +
               ") and text_encoder (hidden_size " + std::to_string(config.text_encoder.hidden_size) +
               ") do not fit together",
           kOneModel);
  }
  const bool layered = config.pipeline == PipelineClass::kLayered;
  if (layered && (!config.transformer.use_layer3d_rope || !config.transformer.use_additional_t_cond)) {
    refuse(where, "a layered transformer has use_layer3d_rope and use_additional_t_cond", kOneModel);
  }
}

}  // namespace

const char* to_string(PipelineClass pipeline) {
  return pipeline == PipelineClass::kLayered ? "QwenImageLayeredPipeline" : "QwenImagePipeline";
}

TransformerConfig load_transformer_config(const std::filesystem::path& file) {
  JsonFields fields = JsonFields::from_file(file);
  TransformerConfig config;
  config.patch_size = fields.get<std::int64_t>("patch_size", 2);
  config.in_channels = fields.get<std::int64_t>("in_channels", 64);
  config.out_channels =
      fields.get<std::int64_t>("out_channels", fields.is_null("out_channels") ? config.in_channels : 16);
  config.num_layers = fields.get<std::int64_t>("num_layers", 60);
  config.attention_head_dim = fields.get<std::int64_t>("attention_head_dim", 128);
  config.num_attention_heads = fields.get<std::int64_t>("num_attention_heads", 24);
  config.joint_attention_dim = fields.get<std::int64_t>("joint_attention_dim", 3584);
  const auto axes =
      fields.get<std::vector<std::int64_t>>("axes_dims_rope", std::vector<std::int64_t>{16, 56, 56});
  config.use_additional_t_cond = fields.get<bool>("use_additional_t_cond", false);
  config.use_layer3d_rope = fields.get<bool>("use_layer3d_rope", false);
  fields.only_supports("guidance_embeds", false, kOtherFamily);
  fields.only_supports("zero_cond_t", false, kOtherFamily);
  skip_common(fields);
  fields.without_effect({"pooled_projection_dim"});  // written by early diffusers, read by none
  fields.finish();

  check_range(fields, "patch_size", config.patch_size, 2,
              2);  // the pipelines pack 2×2 whatever the config says
  check_range(fields, "in_channels", config.in_channels, 4);
  check_range(fields, "out_channels", config.out_channels, 1);
  check_range(fields, "num_layers", config.num_layers, 1, 10000);
  check_range(fields, "attention_head_dim", config.attention_head_dim, 2, 4096);
  check_range(fields, "num_attention_heads", config.num_attention_heads, 1, 4096);
  check_range(fields, "joint_attention_dim", config.joint_attention_dim, 1);
  if (axes.size() != 3 || axes[0] + axes[1] + axes[2] != config.attention_head_dim || axes[0] % 2 != 0 ||
      axes[1] % 2 != 0 || axes[2] % 2 != 0 || axes[0] < 0 || axes[1] < 0 || axes[2] < 0) {
    refuse(fields.where(), "\"axes_dims_rope\" needs three even numbers that add up to attention_head_dim");
  }
  std::copy(axes.begin(), axes.end(), config.axes_dims_rope.begin());
  return config;
}

VaeConfig load_vae_config(const std::filesystem::path& file) {
  JsonFields fields = JsonFields::from_file(file);
  VaeConfig config;
  config.base_dim = fields.get<std::int64_t>("base_dim", 96);
  config.z_dim = fields.get<std::int64_t>("z_dim", 16);
  config.dim_mult = fields.get<std::vector<std::int64_t>>("dim_mult", config.dim_mult);
  config.num_res_blocks = fields.get<std::int64_t>("num_res_blocks", 2);
  config.temperal_downsample =
      fields.get<std::vector<bool>>("temperal_downsample", config.temperal_downsample);
  config.input_channels = fields.get<std::int64_t>("input_channels", 3);
  config.latents_mean = fields.get<std::vector<double>>("latents_mean");
  config.latents_std = fields.get<std::vector<double>>("latents_std");
  fields.only_supports("attn_scales", std::vector<double>{}, "only the middle block of this VAE attends");
  skip_common(fields);
  fields.without_effect({"dropout"});
  fields.finish();

  check_range(fields, "base_dim", config.base_dim, 2, 65536);
  check_range(fields, "z_dim", config.z_dim, 1, 4096);
  check_range(fields, "num_res_blocks", config.num_res_blocks, 1, 100);
  check_range(fields, "input_channels", config.input_channels, 3, 4);
  if (config.dim_mult.size() != config.temperal_downsample.size() + 1 ||
      config.temperal_downsample.size() != 3) {
    refuse(fields.where(),
           "\"dim_mult\" needs four entries and \"temperal_downsample\" three: the pictures are 8 times "
           "larger than their latents");
  }
  for (const auto factor : config.dim_mult) check_range(fields, "dim_mult", factor, 1, 4096);
  const auto channels = static_cast<std::size_t>(config.z_dim);
  if (config.latents_mean.size() != channels || config.latents_std.size() != channels) {
    refuse(fields.where(),
           "\"latents_mean\" and \"latents_std\" need z_dim = " + std::to_string(channels) + " entries");
  }
  if (!std::all_of(config.latents_std.begin(), config.latents_std.end(), [](double s) { return s > 0; })) {
    refuse(fields.where(), "\"latents_std\" has to be above 0");
  }
  return config;
}

TextEncoderConfig load_text_encoder_config(const std::filesystem::path& file) {
  JsonFields fields = JsonFields::from_file(file);
  fields.without_effect({"vision_config"});  // read where captions are made
  if (!fields.has("text_config")) {
    const TextEncoderConfig config = read_text_config(fields);
    fields.finish();
    return config;
  }
  // Newer files nest the language model's settings; the same settings beside them are older readers' copies.
  skip_text_fields(fields);
  fields.without_effect({"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                         "num_attention_heads", "num_key_value_heads", "rms_norm_eps", "rope_theta",
                         "rope_scaling", "rope_parameters", "hidden_act", "use_sliding_window",
                         "attention_bias", "layer_types"});
  JsonFields nested = fields.get_object("text_config");
  const TextEncoderConfig config = read_text_config(nested);
  nested.finish();
  fields.finish();
  return config;
}

SchedulerConfig load_scheduler_config(const std::filesystem::path& file) {
  JsonFields fields = JsonFields::from_file(file);
  SchedulerConfig config;
  config.num_train_timesteps = fields.get<std::int64_t>("num_train_timesteps", 1000);
  config.shift = fields.get<double>("shift", 1.0);
  config.use_dynamic_shifting = fields.get<bool>("use_dynamic_shifting", false);
  config.base_shift = fields.get<double>("base_shift", 0.5);
  config.max_shift = fields.get<double>("max_shift", 1.15);
  config.base_image_seq_len = fields.get<std::int64_t>("base_image_seq_len", 256);
  config.max_image_seq_len = fields.get<std::int64_t>("max_image_seq_len", 4096);
  config.invert_sigmas = fields.get<bool>("invert_sigmas", false);
  const auto terminal = fields.get<double>("shift_terminal", 0.0);
  if (terminal != 0.0) config.shift_terminal = terminal;  // the reference reads 0 as "none"
  const auto shift_type = fields.get<std::string>("time_shift_type", "exponential");
  if (shift_type != "exponential" && shift_type != "linear") {
    fields.refuse("time_shift_type", "exponential and linear are known");
  }
  config.time_shift_type = shift_type == "linear" ? TimeShiftType::kLinear : TimeShiftType::kExponential;
  const bool karras = fields.get<bool>("use_karras_sigmas", false);
  const bool exponential = fields.get<bool>("use_exponential_sigmas", false);
  if (karras && exponential) fields.refuse("use_karras_sigmas", "use_exponential_sigmas is set as well");
  if (karras) config.spacing = SigmaSpacing::kKarras;
  if (exponential) config.spacing = SigmaSpacing::kExponential;
  fields.only_supports("use_beta_sigmas", false, "no model of this family is trained for it");
  fields.only_supports("stochastic_sampling", false,
                       "its result could not be made again from the seed alone");
  skip_common(fields);
  fields.finish();

  check_range(fields, "num_train_timesteps", config.num_train_timesteps, 1);
  if (config.base_image_seq_len == config.max_image_seq_len) {
    refuse(fields.where(), "\"base_image_seq_len\" and \"max_image_seq_len\" are equal");
  }
  if (!(config.shift > 0)) refuse(fields.where(), "\"shift\" has to be above 0");
  if (config.shift_terminal && !(*config.shift_terminal > 0 && *config.shift_terminal < 1)) {
    refuse(fields.where(), "\"shift_terminal\" has to lie between 0 and 1");
  }
  return config;
}

ModelConfig load_model_config(const std::filesystem::path& folder) {
  const auto index_file = folder / "model_index.json";
  if (!std::filesystem::exists(index_file)) {
    throw common::InputError(folder.string() + " is not a model folder: it has no model_index.json",
                             "Give the folder of a model in diffusers layout to --model.");
  }
  JsonFields index = JsonFields::from_file(index_file);
  ModelConfig config;
  const auto class_name = index.get<std::string>("_class_name");
  if (class_name == "QwenImageLayeredPipeline") {
    config.pipeline = PipelineClass::kLayered;
  } else if (class_name == "QwenImagePipeline") {
    config.pipeline = PipelineClass::kTextToImage;
  } else {
    throw common::InputError(index_file.string() + ": the pipeline class is " + class_name +
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
  index.get<nlohmann::json>("tokenizer");
  index.without_effect({"_diffusers_version", "_name_or_path", "processor"});
  index.finish();

  config.transformer = load_transformer_config(existing(folder, "transformer/config.json"));
  config.vae = load_vae_config(existing(folder, "vae/config.json"));
  config.text_encoder = load_text_encoder_config(existing(folder, "text_encoder/config.json"));
  config.scheduler = load_scheduler_config(existing(folder, "scheduler/scheduler_config.json"));
  check_fit(config, folder.string());
  return config;
}

}  // namespace layerpipe::model
