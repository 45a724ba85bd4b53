// The config files of a model folder in diffusers layout, as value types. Nothing here touches weights, and
// what a config says of their form is read in model/quantisation_config.h.
//
// Field names are those of the files. Every field is honoured, or refused by name with an InputError: a model
// is never computed with a setting that was not understood.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/weights/weight_files.h"

namespace layerpipe::model {

// transformer/config.json (diffusers: QwenImageTransformer2DModel).
struct TransformerConfig {
  std::int64_t patch_size = 2;
  std::int64_t in_channels = 64;   // packed latent channels: 4 · z_dim
  std::int64_t out_channels = 16;  // per latent pixel; the head gives patch_size² times as many
  std::int64_t num_layers = 60;
  std::int64_t attention_head_dim = 128;
  std::int64_t num_attention_heads = 24;
  std::int64_t joint_attention_dim = 3584;                 // width of the text embeddings
  std::array<std::int64_t, 3> axes_dims_rope{16, 56, 56};  // frame, row, column
  bool use_additional_t_cond = false;
  bool use_layer3d_rope = false;

  std::int64_t inner_dim() const { return num_attention_heads * attention_head_dim; }
};

// vae/config.json (diffusers: AutoencoderKLQwenImage).
struct VaeConfig {
  std::int64_t base_dim = 96;
  std::int64_t z_dim = 16;
  std::vector<std::int64_t> dim_mult{1, 2, 4, 4};
  std::int64_t num_res_blocks = 2;
  std::vector<bool> temperal_downsample{false, true, true};  // its length is the number of halvings
  std::int64_t input_channels = 3;                           // 4 for Layered
  std::vector<double> latents_mean;                          // [z_dim]
  std::vector<double> latents_std;                           // [z_dim]

  // Picture pixels per latent pixel, along a side.
  std::int64_t spatial_compression_ratio() const { return std::int64_t{1} << temperal_downsample.size(); }
};

// text_encoder/config.json (transformers: Qwen2_5_VLForConditionalGeneration), the language model's part.
struct TextEncoderConfig {
  std::int64_t vocab_size = 152064;
  std::int64_t hidden_size = 3584;
  std::int64_t intermediate_size = 18944;
  std::int64_t num_hidden_layers = 28;
  std::int64_t num_attention_heads = 28;
  std::int64_t num_key_value_heads = 4;
  double rms_norm_eps = 1e-6;
  double rope_theta = 1e6;

  std::int64_t head_dim() const { return hidden_size / num_attention_heads; }
};

enum class TimeShiftType { kExponential, kLinear };
enum class SigmaSpacing { kAsShifted, kKarras, kExponential };

// scheduler/scheduler_config.json (diffusers: FlowMatchEulerDiscreteScheduler).
struct SchedulerConfig {
  std::int64_t num_train_timesteps = 1000;
  double shift = 1.0;
  bool use_dynamic_shifting = false;
  double base_shift = 0.5;
  double max_shift = 1.15;
  std::int64_t base_image_seq_len = 256;
  std::int64_t max_image_seq_len = 4096;
  bool invert_sigmas = false;
  std::optional<double> shift_terminal;
  TimeShiftType time_shift_type = TimeShiftType::kExponential;
  SigmaSpacing spacing = SigmaSpacing::kAsShifted;
};

enum class PipelineClass { kLayered, kTextToImage };
const char* to_string(PipelineClass pipeline);

// A whole model folder.
struct ModelConfig {
  PipelineClass pipeline = PipelineClass::kLayered;
  TransformerConfig transformer;
  VaeConfig vae;
  TextEncoderConfig text_encoder;
  SchedulerConfig scheduler;
};

// Each config from its file, or from its text and the name that messages call it by. Throws InputError naming
// the file and the field.
TransformerConfig load_transformer_config(const std::filesystem::path& file);
VaeConfig load_vae_config(const std::filesystem::path& file);
TextEncoderConfig load_text_encoder_config(const std::filesystem::path& file);
SchedulerConfig load_scheduler_config(const std::filesystem::path& file);
TransformerConfig parse_transformer_config(std::string_view text, const std::string& name);
VaeConfig parse_vae_config(std::string_view text, const std::string& name);
TextEncoderConfig parse_text_encoder_config(std::string_view text, const std::string& name);
SchedulerConfig parse_scheduler_config(std::string_view text, const std::string& name);
// model_index.json; the classes of the components are checked.
PipelineClass parse_model_index(std::string_view text, const std::string& name);

// Reads model_index.json and the config of every component, and checks that they fit together.
// Throws InputError naming the file and the field, or a form of quantised weights that is not read; the
// latter not of components that have their weights in a file of their own, in `files`.
ModelConfig load_model_config(const std::filesystem::path& folder, const ComponentFiles& files = {});

}  // namespace layerpipe::model
