#include "model/config.h"

#include <algorithm>

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

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw common::InputError(where + ": " + what, kCopyTheFileAgain);
}

const std::string kOtherFamily = "this setting belongs to another model family";

// Fields that transformers and diffusers write into every config, or into one written in full.
void skip_common(JsonFields& fields) {
  fields.without_effect({"_class_name", "_diffusers_version", "_name_or_path", "architectures",
                         "transformers_version", "torch_dtype", "dtype", "model_type", "output_hidden_states",
                         "output_attentions", "return_dict", "chunk_size_feed_forward", "is_encoder_decoder",
                         "id2label", "label2id", "problem_type"});
  fields.without_effect({"quantization_config", "compression_config"});  // model/quantisation_config.h
}

// Fields of a text encoder's config without effect on a prompt's embeddings.
void skip_text_fields(JsonFields& fields) {
  skip_common(fields);
  fields.without_effect({"attention_dropout", "bos_token_id", "eos_token_id", "pad_token_id",
                         "initializer_range", "max_position_embeddings", "max_window_layers",
                         "sliding_window", "use_cache", "tie_word_embeddings", "image_token_id",
                         "video_token_id", "vision_start_token_id", "vision_end_token_id",
                         "vision_token_id"});
  fields.without_effect({"layer_types", "rope_scaling", "rope_parameters"});  // read elsewhere unless null
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
  std::int64_t left = head_dim / 2;  // counted down, so that no sum of theirs can overflow
  for (const std::int64_t size : section) left = size < 0 || size > left ? -1 : left - size;
  if (!section.empty() && left != 0) {
    fields.refuse("mrope_section", "its sum has to be half of a head (" + std::to_string(head_dim / 2) + ")");
  }
  std::optional<double> theta;
  if (fields.has("rope_theta")) theta = fields.get<double>("rope_theta");
  fields.finish();
  return theta;
}

// The settings of which one value is known.
void only_supports_qwen(JsonFields& fields) {
  fields.only_supports("hidden_act", "silu", "the text encoder's activation is silu");
  fields.only_supports("use_sliding_window", false, "every layer attends to the whole prompt");
  fields.only_supports("attention_bias", true, "Qwen2.5 projects queries, keys and values with a bias");
  if (!fields.has("layer_types")) return;
  for (const auto& type : fields.get<std::vector<std::string>>("layer_types")) {
    if (type != "full_attention") fields.refuse("layer_types", "only full_attention is known");
  }
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
  only_supports_qwen(fields);
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
  return config;
}

TransformerConfig read_transformer_config(JsonFields fields) {
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
  const auto possible = [&](std::int64_t axis) {
    return axis % 2 == 0 && axis >= 0 && axis <= config.attention_head_dim;
  };
  if (axes.size() != 3 || !std::all_of(axes.begin(), axes.end(), possible) ||
      axes[0] + axes[1] + axes[2] != config.attention_head_dim) {
    refuse(fields.where(), "\"axes_dims_rope\" needs three even numbers that add up to attention_head_dim");
  }
  std::copy(axes.begin(), axes.end(), config.axes_dims_rope.begin());
  return config;
}

VaeConfig read_vae_config(JsonFields fields) {
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

template <typename T>
void check_copy(JsonFields& fields, const char* key, const T& nested) {
  fields.without_effect({key});  // when it is null
  if (!fields.has(key)) return;
  const T value = fields.get<T>(key);
  if (value == nested) return;
  throw common::InputError(fields.where() + ": \"" + key + "\" is " + shown(value) + ", but " +
                               shown(nested) + " by \"text_config\"",
                           "Copy the file from the model's original folder again.");
}

// The settings that stand beside "text_config" have to say what it says: who is right where they do not,
// nobody can tell. `config` is what it says, with the defaults of what it leaves out.
void check_copies(JsonFields& fields, const TextEncoderConfig& config) {
  check_copy(fields, "vocab_size", config.vocab_size);
  check_copy(fields, "hidden_size", config.hidden_size);
  check_copy(fields, "intermediate_size", config.intermediate_size);
  check_copy(fields, "num_hidden_layers", config.num_hidden_layers);
  check_copy(fields, "num_attention_heads", config.num_attention_heads);
  check_copy(fields, "num_key_value_heads", config.num_key_value_heads);
  check_copy(fields, "rms_norm_eps", config.rms_norm_eps);
  check_copy(fields, "rope_theta", config.rope_theta);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!fields.has(key)) continue;
    JsonFields rope = fields.get_object(key);
    read_rope(rope, config.head_dim());
    check_copy(rope, "rope_theta", config.rope_theta);
  }
  only_supports_qwen(fields);
}

TextEncoderConfig read_text_encoder_config(JsonFields fields) {
  fields.without_effect({"vision_config", "text_config"});  // the first is read where captions are made
  if (!fields.has("text_config")) {
    const TextEncoderConfig config = read_text_config(fields);
    fields.finish();
    return config;
  }
  // Newer files nest the language model's settings; the same settings beside them are older readers' copies.
  JsonFields nested = fields.get_object("text_config");
  const TextEncoderConfig config = read_text_config(nested);
  nested.finish();
  check_copies(fields, config);
  skip_text_fields(fields);
  fields.finish();
  return config;
}

SchedulerConfig read_scheduler_config(JsonFields fields) {
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

}  // namespace

TransformerConfig load_transformer_config(const std::filesystem::path& file) {
  return read_transformer_config(JsonFields::from_file(file));
}

TransformerConfig parse_transformer_config(std::string_view text, const std::string& name) {
  return read_transformer_config(JsonFields::from_text(text, name));
}

VaeConfig load_vae_config(const std::filesystem::path& file) {
  return read_vae_config(JsonFields::from_file(file));
}

VaeConfig parse_vae_config(std::string_view text, const std::string& name) {
  return read_vae_config(JsonFields::from_text(text, name));
}

TextEncoderConfig load_text_encoder_config(const std::filesystem::path& file) {
  return read_text_encoder_config(JsonFields::from_file(file));
}

TextEncoderConfig parse_text_encoder_config(std::string_view text, const std::string& name) {
  return read_text_encoder_config(JsonFields::from_text(text, name));
}

SchedulerConfig load_scheduler_config(const std::filesystem::path& file) {
  return read_scheduler_config(JsonFields::from_file(file));
}

SchedulerConfig parse_scheduler_config(std::string_view text, const std::string& name) {
  return read_scheduler_config(JsonFields::from_text(text, name));
}

}  // namespace layerpipe::model
