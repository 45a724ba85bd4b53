// A whole model folder: the pipeline's index, and whether the components fit together.
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "model/config.h"
#include "tests/support/parity_case.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

using Json = nlohmann::json;

class ModelConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    put("model_index.json", "model_index_layered");
    put("transformer/config.json", "transformer_layered");
    put("vae/config.json", "vae_layered");
    put("text_encoder/config.json", "text_encoder_flat_and_nested");
    put("scheduler/scheduler_config.json", "scheduler");
  }
  void put(const std::string& file, const std::string& published) const {
    std::filesystem::create_directories((folder_.path() / file).parent_path());
    std::filesystem::copy_file(layerpipe::testing::test_data() / "configs" / (published + ".json"),
                               folder_.path() / file, std::filesystem::copy_options::overwrite_existing);
  }
  void change(const std::string& file, const char* change) const {
    Json json = Json::parse(common::read_text_file(folder_.path() / file));
    json.merge_patch(Json::parse(change));
    common::write_file_atomically(folder_.path() / file, json.dump());
  }
  std::string refusal() const {
    return layerpipe::testing::refusal(folder_.path().string(), [&] { load_model_config(folder_.path()); });
  }

  layerpipe::testing::TemporaryFolder folder_;
};

TEST_F(ModelConfigTest, ReadsALayeredModel) {
  const ModelConfig config = load_model_config(folder_.path());
  EXPECT_STREQ(to_string(config.pipeline), "QwenImageLayeredPipeline");
  EXPECT_EQ(config.vae.input_channels, 4);
  EXPECT_EQ(config.text_encoder.hidden_size, config.transformer.joint_attention_dim);
}

TEST_F(ModelConfigTest, ReadsATextToImageModel) {
  put("model_index.json", "model_index_text_to_image");
  put("transformer/config.json", "transformer_text_to_image");
  put("vae/config.json", "vae_text_to_image");
  put("text_encoder/config.json", "text_encoder_flat");
  EXPECT_STREQ(to_string(load_model_config(folder_.path()).pipeline), "QwenImagePipeline");
}

// diffusers writes [null, null] for a component that the pipeline was saved without.
TEST_F(ModelConfigTest, AcceptsComponentsThatAreNotThere) {
  change("model_index.json", R"({"image_encoder": [null, null], "feature_extractor": [null, null],
                                 "processor": [null, null]})");
  EXPECT_NO_THROW(load_model_config(folder_.path()));
  change("model_index.json", R"({"controlnet": ["diffusers", null]})");
  EXPECT_EQ(refusal(), "FILE/model_index.json: layerpipe does not know the field \"controlnet\"");
}

TEST_F(ModelConfigTest, NamesANeededComponentThatIsNotThere) {
  for (const std::string component : {"transformer", "vae", "text_encoder", "scheduler", "tokenizer"}) {
    put("model_index.json", "model_index_layered");
    change("model_index.json", ("{\"" + component + "\": [null, null]}").c_str());
    EXPECT_EQ(refusal(), "FILE/model_index.json: component \"" + component +
                             "\" is [null,null]: the pipeline was saved without it");
  }
}

TEST_F(ModelConfigTest, RefusesQuantisedWeightsByTheirForm) {
  const std::map<std::string, std::string> forms{
      {R"({"quant_method": "bitsandbytes", "load_in_4bit": true, "load_in_8bit": false,
           "bnb_4bit_quant_type": "nf4"})",
       "bitsandbytes (nf4)"},
      {R"({"quant_method": "bitsandbytes", "load_in_8bit": true, "bnb_4bit_quant_type": "fp4"})",
       "bitsandbytes (8 bits)"},
      {R"({"load_in_4bit": true, "load_in_8bit": false})", "bitsandbytes"},
      {R"({"quant_method": "gptq", "bits": 4, "group_size": 128})", "GPTQ (4 bits)"},
      {R"({"quant_method": "awq", "bits": 4, "version": "gemm"})", "AWQ (4 bits)"},
      {R"({"quant_method": "torchao", "quant_type": "int8wo"})", "torchao (int8wo)"},
      {R"({"quant_method": "torchao", "quant_type": {"default": {}}})", "torchao"},
      {R"({"quant_method": "quanto", "weights_dtype": "float8"})", "quanto (float8)"},
      {R"({"quant_method": "gguf", "compute_dtype": "bfloat16"})", "GGUF"},
      {R"({"quant_method": "svdquant"})", "nunchaku (SVDQuant)"},
      {R"({"quant_method": "sdnq", "weights_dtype": "uint4"})", "SDNQ (uint4)"},
      {R"({"quant_method": "compressed-tensors", "format": "float-quantized"})",
       "compressed-tensors (float-quantized)"},
      {R"({"quant_method": "fp8", "weight_block_size": [128, 128]})", "fp8"},
      {R"({"quant_method": "modelopt", "quant_algo": "NVFP4"})", "ModelOpt"},
      {R"({"quant_method": "of tomorrow"})", "of tomorrow"},
      {R"({"group_size": 128})", "an unnamed program"}};
  for (const auto& [config, form] : forms) {
    for (const std::string component : {"transformer", "vae", "text_encoder"}) {
      SetUp();
      change(component + "/config.json", ("{\"quantization_config\": " + config + "}").c_str());
      EXPECT_EQ(refusal(), "FILE/" + component + "/config.json: the weights are quantised in the form of " +
                               form + ", which layerpipe does not read");
    }
  }
  SetUp();
  change("text_encoder/config.json", R"({"text_config": {"quantization_config": {"quant_method": "awq"}}})");
  EXPECT_EQ(refusal(),
            "FILE/text_encoder/config.json: \"text_config\": the weights are quantised in the form of AWQ, "
            "which layerpipe does not read");
  // A file stands for the weights that the config tells of.
  SetUp();
  change("transformer/config.json", R"({"quantization_config": {"quant_method": "bitsandbytes"}})");
  EXPECT_NO_THROW(load_model_config(folder_.path(), {{"transformer", "file.safetensors"}}));
  EXPECT_THROW(load_model_config(folder_.path(), {{"text_encoder", "file.safetensors"}}), common::InputError);
  // What the tensors say as well.
  for (const char* read : {R"({"quant_method": "fp8", "activation_scheme": "dynamic"})",
                           R"({"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["proj_out"]})"}) {
    SetUp();
    change("transformer/config.json", (std::string("{\"quantization_config\": ") + read + "}").c_str());
    EXPECT_EQ(refusal(), "accepted") << read;
  }
  SetUp();
  const std::string null = R"({"quantization_config": null})";
  common::write_file_atomically(
      folder_.path() / "transformer/config.json",
      null.substr(0, null.size() - 1) + "," +
          common::read_text_file(folder_.path() / "transformer/config.json").substr(1));
  EXPECT_NO_THROW(load_model_config(folder_.path()));
}

TEST_F(ModelConfigTest, RefusesAFolderThatIsNoModel) {
  std::filesystem::remove(folder_.path() / "model_index.json");
  EXPECT_EQ(refusal(), "FILE is not a model folder: it has no model_index.json");
}

TEST_F(ModelConfigTest, RefusesOtherPipelines) {
  change("model_index.json", R"({"_class_name": "FluxPipeline"})");
  EXPECT_EQ(refusal(),
            "FILE/model_index.json: the pipeline class is \"FluxPipeline\"; layerpipe runs "
            "QwenImageLayeredPipeline and QwenImagePipeline");
}

TEST_F(ModelConfigTest, RefusesOtherComponents) {
  change("model_index.json", R"({"vae": ["diffusers", "AutoencoderKL"]})");
  EXPECT_EQ(refusal(),
            "FILE/model_index.json: component \"vae\" is [\"diffusers\",\"AutoencoderKL\"]; layerpipe "
            "needs AutoencoderKLQwenImage");
  change("model_index.json", R"({"vae": null})");
  EXPECT_EQ(refusal(), "FILE/model_index.json: field \"vae\" is missing");
}

TEST_F(ModelConfigTest, RefusesComponentsThatAreNotKnown) {
  change("model_index.json", R"({"controlnet": ["diffusers", "QwenImageControlNetModel"]})");
  EXPECT_EQ(refusal(), "FILE/model_index.json: layerpipe does not know the field \"controlnet\"");
}

TEST_F(ModelConfigTest, NamesAMissingConfig) {
  std::filesystem::remove(folder_.path() / "vae" / "config.json");
  EXPECT_EQ(refusal(), "FILE/vae/config.json is missing");
}

TEST_F(ModelConfigTest, RefusesComponentsThatDoNotFitTogether) {
  change("transformer/config.json", R"({"in_channels": 32})");
  EXPECT_EQ(refusal(),
            "FILE: transformer (in_channels 32, out_channels 16) and vae (z_dim 16) do not fit together");
  put("transformer/config.json", "transformer_layered");
  change("transformer/config.json", R"({"joint_attention_dim": 4096})");
  EXPECT_EQ(refusal(),
            "FILE: transformer (joint_attention_dim 4096) and text_encoder (hidden_size 3584) do not fit "
            "together");
  put("transformer/config.json", "transformer_text_to_image");
  EXPECT_EQ(refusal(), "FILE: a layered transformer has use_layer3d_rope and use_additional_t_cond");
}

}  // namespace
}  // namespace layerpipe::model
