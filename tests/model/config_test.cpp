// The config files of a model folder. tests/data/configs holds files like the published ones.
#include "model/config.h"

#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "tests/support/parity_case.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

using Json = nlohmann::json;

Json published(const std::string& name) {
  return Json::parse(common::read_text_file(layerpipe::testing::test_data() / "configs" / (name + ".json")));
}

std::filesystem::path published_path(const std::string& name) {
  return layerpipe::testing::test_data() / "configs" / (name + ".json");
}

class ConfigTest : public ::testing::Test {
 protected:
  // Loads text as a config file with one of the loaders.
  template <typename Loader>
  auto load_text(Loader loader, const std::string& text) const {
    common::write_file_atomically(file_, text);
    return loader(file_);
  }
  // What the loader says of a published file after a change of its fields (RFC 7386: null removes one).
  template <typename Loader>
  std::string refusal(Loader loader, const std::string& name, const std::string& change) const {
    Json json = published(name);
    json.merge_patch(Json::parse(change));
    return layerpipe::testing::refusal(file_.string(), [&] { load_text(loader, json.dump()); });
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "config.json";
};

TEST_F(ConfigTest, ReadsPublishedTransformers) {
  const TransformerConfig layered = load_transformer_config(published_path("transformer_layered"));
  EXPECT_EQ(layered.num_layers, 60);
  EXPECT_EQ(layered.inner_dim(), 3072);
  EXPECT_EQ(layered.axes_dims_rope, (std::array<std::int64_t, 3>{16, 56, 56}));
  EXPECT_TRUE(layered.use_layer3d_rope && layered.use_additional_t_cond);
  const TransformerConfig text_to_image =
      load_transformer_config(published_path("transformer_text_to_image"));
  EXPECT_EQ(text_to_image.joint_attention_dim, 3584);
  EXPECT_FALSE(text_to_image.use_layer3d_rope || text_to_image.use_additional_t_cond);
}

TEST_F(ConfigTest, ReadsPublishedVaes) {
  const VaeConfig layered = load_vae_config(published_path("vae_layered"));
  EXPECT_EQ(layered.base_dim, 96);
  EXPECT_EQ(layered.input_channels, 4);
  EXPECT_EQ(layered.spatial_compression_ratio(), 8);
  EXPECT_EQ(layered.latents_mean[1], -0.7089);
  EXPECT_EQ(load_vae_config(published_path("vae_text_to_image")).input_channels, 3);
}

TEST_F(ConfigTest, ReadsPublishedTextEncoders) {
  for (const char* name : {"text_encoder_flat", "text_encoder_flat_and_nested"}) {
    const TextEncoderConfig config = load_text_encoder_config(published_path(name));
    EXPECT_EQ(config.vocab_size, 152064) << name;
    EXPECT_EQ(config.hidden_size, 3584) << name;
    EXPECT_EQ(config.num_hidden_layers, 28) << name;
    EXPECT_EQ(config.num_key_value_heads, 4) << name;
    EXPECT_EQ(config.head_dim(), 128) << name;
    EXPECT_EQ(config.rms_norm_eps, 1e-6) << name;
    EXPECT_EQ(config.rope_theta, 1e6) << name;
  }
}

TEST_F(ConfigTest, ReadsTextsAsFiles) {
  const auto text = [](const char* name) { return published(name).dump(); };
  EXPECT_EQ(parse_transformer_config(text("transformer_layered"), "x").num_layers, 60);
  EXPECT_EQ(parse_vae_config(text("vae_layered"), "x").input_channels, 4);
  EXPECT_EQ(parse_text_encoder_config(text("text_encoder_flat"), "x").hidden_size, 3584);
  EXPECT_EQ(parse_scheduler_config(text("scheduler"), "x").max_shift, 0.9);
  EXPECT_EQ(parse_model_index(text("model_index_text_to_image"), "x"), PipelineClass::kTextToImage);
  EXPECT_EQ(layerpipe::testing::refusal("x.json", [] { parse_vae_config("[]", "x.json"); }),
            "FILE is not a JSON object");
}

// A model that one reader makes from the nested settings and another from those beside them is two models.
TEST_F(ConfigTest, RefusesFlatSettingsThatDisagreeWithNestedOnes) {
  const auto say = [&](const char* change) {
    return refusal(load_text_encoder_config, "text_encoder_flat_and_nested", change);
  };
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                          "num_attention_heads", "num_key_value_heads"}) {
    const std::string nested = published("text_encoder_flat_and_nested")["text_config"][key].dump();
    EXPECT_EQ(say(Json{{key, 7}}.dump().c_str()),
              "FILE: \"" + std::string(key) + "\" is 7, but " + nested + " by \"text_config\"");
  }
  EXPECT_EQ(say(R"({"rms_norm_eps": 0.5})"), "FILE: \"rms_norm_eps\" is 0.5, but 1e-06 by \"text_config\"");
  EXPECT_EQ(say(R"({"rope_theta": 5e5})"),
            "FILE: \"rope_theta\" is 500000.0, but 1000000.0 by \"text_config\"");
  EXPECT_EQ(say(R"({"rope_parameters": {"rope_theta": 5e5}})"),
            "FILE: \"rope_parameters\": \"rope_theta\" is 500000.0, but 1000000.0 by \"text_config\"");
  EXPECT_EQ(
      say(R"({"rope_scaling": {"type": "yarn"}})"),
      "FILE: \"rope_scaling\": \"type\": \"yarn\" is not supported: only plain rotary embeddings (default, "
      "mrope) are known");
  EXPECT_EQ(say(R"({"hidden_act": "gelu"})"),
            "FILE: \"hidden_act\": \"gelu\" is not supported: the text encoder's activation is silu");
  EXPECT_EQ(say(R"({"layer_types": ["sliding_attention"]})"),
            "FILE: \"layer_types\": [\"sliding_attention\"] is not supported: only full_attention is known");
}

// What the nested settings leave out has a default, which is what counts.
TEST_F(ConfigTest, RefusesFlatSettingsThatDisagreeWithADefault) {
  const std::string change = R"({"rms_norm_eps": 1e-5, "text_config": {"rms_norm_eps": null}})";
  EXPECT_EQ(refusal(load_text_encoder_config, "text_encoder_flat_and_nested", change), "accepted");
  EXPECT_EQ(refusal(load_text_encoder_config, "text_encoder_flat_and_nested",
                    R"({"text_config": {"rms_norm_eps": null}})"),
            "FILE: \"rms_norm_eps\" is 1e-06, but 1e-05 by \"text_config\"");
}

TEST_F(ConfigTest, FlatSettingsBesideNestedOnesMayBeAbsentOrNull) {
  Json json = published("text_encoder_flat_and_nested");
  json.erase("hidden_size");
  json["vocab_size"] = nullptr;
  json["rope_scaling"] = nullptr;
  EXPECT_EQ(load_text(load_text_encoder_config, json.dump()).vocab_size, 152064);
}

TEST_F(ConfigTest, RopeThetaMayLieInTheRopeParameters) {
  Json json = published("text_encoder_flat");
  json.erase("rope_scaling");
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5e5}};
  EXPECT_EQ(load_text(load_text_encoder_config, json.dump()).rope_theta, 5e5);
}

TEST_F(ConfigTest, FieldsMayBeNull) {
  Json json = published("text_encoder_flat");
  for (const char* key : {"layer_types", "rope_scaling", "rope_parameters", "sliding_window", "text_config"})
    json[key] = nullptr;
  EXPECT_EQ(load_text(load_text_encoder_config, json.dump()).rope_theta, 1e6);
}

TEST_F(ConfigTest, ReadsThePublishedScheduler) {
  const SchedulerConfig config = load_scheduler_config(published_path("scheduler"));
  EXPECT_TRUE(config.use_dynamic_shifting);
  EXPECT_EQ(config.max_image_seq_len, 8192);
  EXPECT_EQ(config.max_shift, 0.9);
  EXPECT_EQ(config.shift_terminal, 0.02);
  EXPECT_EQ(config.time_shift_type, TimeShiftType::kExponential);
  EXPECT_EQ(config.spacing, SigmaSpacing::kAsShifted);
}

TEST_F(ConfigTest, EmptyConfigsTakeDiffusersDefaults) {
  EXPECT_EQ(load_text(load_transformer_config, "{}").num_layers, 60);
  const SchedulerConfig scheduler = load_text(load_scheduler_config, "{}");
  EXPECT_FALSE(scheduler.use_dynamic_shifting || scheduler.shift_terminal);
  EXPECT_EQ(scheduler.max_shift, 1.15);
}

TEST_F(ConfigTest, RefusesWhatIsNoConfig) {
  const auto say = [&](const std::string& text) {
    return layerpipe::testing::refusal(file_.string(), [&] { load_text(load_vae_config, text); });
  };
  EXPECT_EQ(say("[1]"), "FILE is not a JSON object");
  EXPECT_EQ(say("{\"z_dim\": 16,}"),
            "FILE is not JSON: parse error at line 1, column 14: syntax error while parsing object key - "
            "unexpected '}'; expected string literal");
  EXPECT_EQ(say("{\"z_dim\": 1e999}"), "FILE has the number 1e999 in line 1, which is too large");
  std::filesystem::remove(file_);
  EXPECT_EQ(layerpipe::testing::refusal(file_.string(), [&] { load_vae_config(file_); }),
            "cannot open FILE: No such file or directory (errno 2)");
}

TEST_F(ConfigTest, RefusesUnknownFieldsByName) {
  const std::string prefix = "FILE: layerpipe does not know the field ";
  const char* change = R"({"one": 1, "two": null, "three": []})";
  EXPECT_EQ(refusal(load_transformer_config, "transformer_layered", change), prefix + R"("one", "three")");
  EXPECT_EQ(refusal(load_vae_config, "vae_layered", change), prefix + R"("one", "three")");
  EXPECT_EQ(refusal(load_text_encoder_config, "text_encoder_flat", change), prefix + R"("one", "three")");
  EXPECT_EQ(refusal(load_text_encoder_config, "text_encoder_flat_and_nested", change),
            prefix + R"("one", "three")");
  EXPECT_EQ(refusal(load_scheduler_config, "scheduler", change), prefix + R"("one", "three")");
  EXPECT_EQ(
      refusal(load_text_encoder_config, "text_encoder_flat_and_nested", R"({"text_config": {"one": 1}})"),
      "FILE: \"text_config\": layerpipe does not know the field \"one\"");
  EXPECT_EQ(refusal(load_text_encoder_config, "text_encoder_flat", R"({"rope_scaling": {"factor": 4}})"),
            "FILE: \"rope_scaling\": layerpipe does not know the field \"factor\"");
}

TEST_F(ConfigTest, NamesTheFirstOfManyUnknownFields) {
  Json json = published("vae_layered");
  for (char name = 'a'; name <= 'm'; ++name) json[std::string(1, name)] = 1;
  EXPECT_EQ(layerpipe::testing::refusal(file_.string(), [&] { load_text(load_vae_config, json.dump()); }),
            "FILE: layerpipe does not know the field \"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\" "
            "and 5 more");
}

TEST_F(ConfigTest, RefusesWrongTypes) {
  const auto transformer = [&](const char* change) {
    return refusal(load_transformer_config, "transformer_layered", change);
  };
  EXPECT_EQ(transformer(R"({"num_layers": 1.5})"), "FILE: field \"num_layers\" has the wrong type: 1.5");
  EXPECT_EQ(transformer(R"({"num_layers": "60"})"), "FILE: field \"num_layers\" has the wrong type: \"60\"");
  EXPECT_EQ(transformer(R"({"num_layers": true})"), "FILE: field \"num_layers\" has the wrong type: true");
  EXPECT_EQ(transformer(R"({"num_layers": 18446744073709551615})"),
            "FILE: field \"num_layers\" has the wrong type: 18446744073709551615");
  EXPECT_EQ(transformer(R"({"use_layer3d_rope": 1})"),
            "FILE: field \"use_layer3d_rope\" has the wrong type: 1");
  EXPECT_EQ(transformer(R"({"axes_dims_rope": 16})"),
            "FILE: field \"axes_dims_rope\" has the wrong type: 16");
  EXPECT_EQ(transformer(R"({"axes_dims_rope": [16.5, 56, 56]})"),
            "FILE: field \"axes_dims_rope\" has the wrong type: [16.5,56,56]");
  EXPECT_EQ(refusal(load_vae_config, "vae_layered", R"({"dim_mult": [true, 2, 4, 4]})"),
            "FILE: field \"dim_mult\" has the wrong type: [true,2,4,4]");
  EXPECT_EQ(refusal(load_vae_config, "vae_layered", R"({"temperal_downsample": [0, 1, 1]})"),
            "FILE: field \"temperal_downsample\" has the wrong type: [0,1,1]");
  EXPECT_EQ(refusal(load_text_encoder_config, "text_encoder_flat", R"({"text_config": 5})"),
            "FILE: \"text_config\" is not a JSON object");
  EXPECT_EQ(refusal(load_scheduler_config, "scheduler", R"({"shift": "3"})"),
            "FILE: field \"shift\" has the wrong type: \"3\"");
}

TEST_F(ConfigTest, RefusesMissingFields) {
  EXPECT_EQ(refusal(load_vae_config, "vae_layered", R"({"latents_std": null})"),
            "FILE: field \"latents_std\" is missing");
  EXPECT_EQ(refusal(load_text_encoder_config, "text_encoder_flat", R"({"hidden_size": null})"),
            "FILE: field \"hidden_size\" is missing");
  EXPECT_EQ(refusal(load_text_encoder_config, "text_encoder_flat_and_nested",
                    R"({"text_config": {"vocab_size": null}})"),
            "FILE: \"text_config\": field \"vocab_size\" is missing");
}

TEST_F(ConfigTest, RefusesTransformersOutOfRange) {
  const auto say = [&](const char* change) {
    return refusal(load_transformer_config, "transformer_layered", change);
  };
  const std::string axes =
      "FILE: \"axes_dims_rope\" needs three even numbers that add up to attention_head_dim";
  EXPECT_EQ(say(R"({"num_layers": 0})"), "FILE: field \"num_layers\" is 0; 1 to 10000 is possible");
  EXPECT_EQ(say(R"({"num_attention_heads": -1})"),
            "FILE: field \"num_attention_heads\" is -1; 1 to 4096 is possible");
  EXPECT_EQ(say(R"({"patch_size": 1})"), "FILE: field \"patch_size\" is 1; 2 to 2 is possible");
  EXPECT_EQ(say(R"({"in_channels": 2000000})"),
            "FILE: field \"in_channels\" is 2000000; 4 to 1048576 is possible");
  EXPECT_EQ(say(R"({"axes_dims_rope": [16, 56]})"), axes);
  EXPECT_EQ(say(R"({"axes_dims_rope": [16, 56, 58]})"), axes);
  EXPECT_EQ(say(R"({"axes_dims_rope": [15, 57, 56]})"), axes);
  EXPECT_EQ(say(R"({"axes_dims_rope": [-16, 88, 56]})"), axes);
  EXPECT_EQ(say(R"({"axes_dims_rope": [9223372036854775806, 9223372036854775806, 132]})"),
            axes);  // 2⁶⁴ + 128
}

TEST_F(ConfigTest, RefusesVaesOutOfRange) {
  const auto say = [&](const char* change) { return refusal(load_vae_config, "vae_layered", change); };
  EXPECT_EQ(say(R"({"input_channels": 5})"), "FILE: field \"input_channels\" is 5; 3 to 4 is possible");
  EXPECT_EQ(say(R"({"dim_mult": [1, 2, 0, 4]})"), "FILE: field \"dim_mult\" is 0; 1 to 4096 is possible");
  EXPECT_EQ(
      say(R"({"dim_mult": [1, 2, 4]})"),
      "FILE: \"dim_mult\" needs four entries and \"temperal_downsample\" three: the pictures are 8 times "
      "larger than their latents");
  EXPECT_EQ(say(R"({"latents_mean": [0.5]})"),
            "FILE: \"latents_mean\" and \"latents_std\" need z_dim = 16 entries");
  EXPECT_EQ(say(R"({"z_dim": 1, "latents_mean": [0.5], "latents_std": [0]})"),
            "FILE: \"latents_std\" has to be above 0");
  EXPECT_EQ(say(R"({"attn_scales": [0.5]})"),
            "FILE: \"attn_scales\": [0.5] is not supported: only the middle block of this VAE attends");
}

TEST_F(ConfigTest, RefusesTextEncodersOutOfRange) {
  const auto say = [&](const char* change) {
    return refusal(load_text_encoder_config, "text_encoder_flat", change);
  };
  const std::string divide =
      "FILE: hidden_size, num_attention_heads and num_key_value_heads do not divide evenly";
  EXPECT_EQ(say(R"({"vocab_size": 0})"), "FILE: field \"vocab_size\" is 0; 1 to 16777216 is possible");
  EXPECT_EQ(say(R"({"num_key_value_heads": 29})"),
            "FILE: field \"num_key_value_heads\" is 29; 1 to 28 is possible");
  EXPECT_EQ(say(R"({"num_key_value_heads": 5})"), divide);
  EXPECT_EQ(say(R"({"hidden_size": 3585})"), divide);
  EXPECT_EQ(say(R"({"rms_norm_eps": -1e-6})"), "FILE: \"rms_norm_eps\" has to be 0 or more");
  EXPECT_EQ(say(R"({"rope_theta": 0})"), "FILE: \"rope_theta\" has to be above 0");
}

TEST_F(ConfigTest, RefusesTextEncodersOfAnotherKind) {
  const auto say = [&](const char* change) {
    return refusal(load_text_encoder_config, "text_encoder_flat", change);
  };
  EXPECT_EQ(say(R"({"hidden_act": "gelu"})"),
            "FILE: \"hidden_act\": \"gelu\" is not supported: the text encoder's activation is silu");
  EXPECT_EQ(say(R"({"use_sliding_window": true})"),
            "FILE: \"use_sliding_window\": true is not supported: every layer attends to the whole prompt");
  EXPECT_EQ(
      say(R"({"attention_bias": false})"),
      "FILE: \"attention_bias\": false is not supported: Qwen2.5 projects queries, keys and values with a "
      "bias");
  EXPECT_EQ(say(R"({"layer_types": ["sliding_attention"]})"),
            "FILE: \"layer_types\": [\"sliding_attention\"] is not supported: only full_attention is known");
  EXPECT_EQ(
      say(R"({"rope_scaling": {"type": "yarn", "factor": 4}})"),
      "FILE: \"rope_scaling\": \"type\": \"yarn\" is not supported: only plain rotary embeddings (default, "
      "mrope) are known");
  EXPECT_EQ(
      say(R"({"rope_scaling": {"mrope_section": [16, 24, 25]}})"),
      "FILE: \"rope_scaling\": \"mrope_section\": [16,24,25] is not supported: its sum has to be half of a "
      "head (64)");
  for (const char* sections : {"[-16,56,24]", "[16,24]", "[9223372036854775807,9223372036854775807,66]"}) {
    EXPECT_EQ(say((R"({"rope_scaling": {"mrope_section": )" + std::string(sections) + "}}").c_str()),
              "FILE: \"rope_scaling\": \"mrope_section\": " + std::string(sections) +
                  " is not supported: its sum has to be half of a head (64)");
  }
}

TEST_F(ConfigTest, RefusesSchedulersOutOfRange) {
  const auto say = [&](const char* change) { return refusal(load_scheduler_config, "scheduler", change); };
  EXPECT_EQ(say(R"({"num_train_timesteps": 0})"),
            "FILE: field \"num_train_timesteps\" is 0; 1 to 1048576 is possible");
  EXPECT_EQ(say(R"({"max_image_seq_len": 256})"),
            "FILE: \"base_image_seq_len\" and \"max_image_seq_len\" are equal");
  EXPECT_EQ(say(R"({"shift": 0})"), "FILE: \"shift\" has to be above 0");
  EXPECT_EQ(say(R"({"shift_terminal": 1})"), "FILE: \"shift_terminal\" has to lie between 0 and 1");
  EXPECT_EQ(say(R"({"time_shift_type": "cubic"})"),
            "FILE: \"time_shift_type\": \"cubic\" is not supported: exponential and linear are known");
  EXPECT_EQ(say(R"({"use_karras_sigmas": true, "use_exponential_sigmas": true})"),
            "FILE: \"use_karras_sigmas\": true is not supported: use_exponential_sigmas is set as well");
  EXPECT_EQ(say(R"({"use_beta_sigmas": true})"),
            "FILE: \"use_beta_sigmas\": true is not supported: no model of this family is trained for it");
  EXPECT_EQ(
      say(R"({"stochastic_sampling": true})"),
      "FILE: \"stochastic_sampling\": true is not supported: its result could not be made again from the "
      "seed alone");
}

TEST_F(ConfigTest, RefusesOtherTransformers) {
  for (const char* key : {"guidance_embeds", "zero_cond_t"}) {
    EXPECT_EQ(refusal(load_transformer_config, "transformer_layered", Json{{key, true}}.dump()),
              "FILE: \"" + std::string(key) +
                  "\": true is not supported: this setting belongs to another model family");
  }
}

}  // namespace
}  // namespace layerpipe::model
