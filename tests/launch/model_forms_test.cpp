// Model folders in the forms in which people have them: the same bits come out, and the program says what it
// read. tests/model/weight_files_test.cpp and tensor_names_test.cpp have the rules.
#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "tests/launch/program.h"
#include "tests/support/model_forms.h"
#include "tests/support/test_data.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;
using layerpipe::testing::add_tensor;
using layerpipe::testing::Outcome;
using layerpipe::testing::rename_tensors;
using layerpipe::testing::run_program;
using ::testing::HasSubstr;
using Json = nlohmann::json;

const std::string kStem = "diffusion_pytorch_model";

class ModelForms : public ::testing::Test {
 protected:
  ModelForms() { fs::copy(layerpipe::testing::small_model(), model_, fs::copy_options::recursive); }

  // Runs the model into `out`, and gives the hashes of its layers; "" for what is said on stderr.
  Json hashes(const fs::path& model, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"decompose",
                                       "--model",
                                       model,
                                       "--out",
                                       out(),
                                       "--image",
                                       layerpipe::testing::test_data() / "parity/plain/input.png",
                                       "--prompt",
                                       "a fox",
                                       "--device",
                                       "cpu",
                                       "--resolution",
                                       "64",
                                       "--any-resolution",
                                       "--steps",
                                       "1",
                                       "--layers",
                                       "2",
                                       "--no-cfg"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_program(arguments);
    said_ = outcome.err;
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? record().at("layer_hashes") : Json();
  }
  void expect_the_same_bits(const std::vector<std::string>& more = {}) {
    static const Json plain = hashes(layerpipe::testing::small_model());
    EXPECT_EQ(hashes(model_, more), plain);
  }
  Json record() const { return Json::parse(common::read_text_file(out() / "run.json")); }
  std::string inspect(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"inspect", "--model", model_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }
  fs::path out() const { return folder_.path() / "out"; }
  fs::path weights(const std::string& component) const {
    return model_ / component / ((component == "text_encoder" ? "model" : kStem) + ".safetensors");
  }
  void rename(const std::string& component, const std::string& name) const {
    fs::rename(weights(component), model_ / component / name);
  }

  layerpipe::testing::TemporaryFolder folder_;
  fs::path model_ = folder_.path() / "model";
  std::string said_;  // on stderr, by the last run
};

TEST_F(ModelForms, Variants) {
  rename("transformer", kStem + ".bf16.safetensors");
  rename("vae", kStem + ".bf16.safetensors");
  rename("text_encoder", "model.fp16.safetensors");
  expect_the_same_bits();
  expect_the_same_bits({"--variant", "bf16"});
  EXPECT_THAT(said_, HasSubstr("text_encoder has no weights of the variant bf16: its fp16 ones are used\n"));
  EXPECT_THAT(inspect(), HasSubstr("\ntransformer: the variant bf16, " + kStem +
                                   ".bf16.safetensors\n"
                                   "text_encoder: the variant fp16, model.fp16.safetensors\n"));
  const Json json = Json::parse(inspect({"--json"}));
  EXPECT_EQ(json.at("components")[0].at("variant"), "bf16");
  EXPECT_EQ(json.at("components")[1].at("file"), "model.fp16.safetensors");
}

TEST_F(ModelForms, ShardsOfAVariant) {
  const fs::path folder = model_ / "transformer";
  const Json index = layerpipe::testing::split_weights(weights("transformer"),
                                                       folder / (kStem + ".bf16-00001-of-00002.safetensors"),
                                                       folder / (kStem + ".bf16-00002-of-00002.safetensors"));
  const fs::path index_file = folder / (kStem + ".safetensors.index.bf16.json");
  common::write_file_atomically(index_file, index.dump());
  expect_the_same_bits();
  EXPECT_THAT(inspect(), HasSubstr("transformer: the variant bf16, " + index_file.filename().string()));
  fs::remove(index_file);
  expect_the_same_bits();
}

TEST_F(ModelForms, TheVariantOfARunIsThatOfItsRepetition) {
  const auto other = model_ / "vae" / (kStem + ".other.safetensors");
  fs::copy_file(weights("vae"), other);
  layerpipe::testing::WeightParts parts = layerpipe::testing::read_weights(other);
  const auto begin = parts.header.at("decoder.conv_out.bias").at("data_offsets").at(0).get<std::size_t>();
  parts.data[begin + 1] = '\x3f';  // the first number becomes one between 0.5 and 2
  layerpipe::testing::write_weights(other, parts);
  expect_the_same_bits();
  EXPECT_EQ(record().at("options").at("variant").at("source"), "default");
  const Json plain = record().at("layer_hashes");
  EXPECT_NE(hashes(model_, {"--variant", "other"}), plain);
  EXPECT_EQ(record().at("options").at("variant"), (Json{{"value", "other"}, {"source", "command line"}}));
  const std::string run = out() / "run.json";
  EXPECT_EQ(run_program({"rerun", run}).exit_code, 0);
  const Outcome with_plain = run_program({"rerun", run, "--variant", "plain"});
  EXPECT_EQ(with_plain.exit_code, 2);
  EXPECT_THAT(with_plain.err, HasSubstr("other bits"));
}

TEST_F(ModelForms, AFileUnderItsOwnName) {
  rename("transformer", "qwen_image_layered_bf16.safetensors");
  expect_the_same_bits();
  EXPECT_THAT(inspect(), HasSubstr("\ntransformer: the only safetensors file there, "
                                   "qwen_image_layered_bf16.safetensors\n"));
}

TEST_F(ModelForms, Prefixes) {
  for (const std::string component : {"transformer", "vae", "text_encoder"}) {
    for (const char* prefix : {"model.diffusion_model.", "_orig_mod.", "module.", "module._orig_mod."}) {
      const std::string before = common::read_text_file(weights(component));
      rename_tensors(weights(component), [&](const std::string& name) { return prefix + name; });
      expect_the_same_bits();
      EXPECT_THAT(inspect(), HasSubstr("\n" + component + ": the names of its tensors, without \"" + prefix +
                                       "\" in front\n"));
      common::write_file_atomically(weights(component), before);
    }
  }
}

// What PEFT and torch.compile leave when a model is saved with them: wrapped layers, and the adapter beside.
TEST_F(ModelForms, WrappedLayersAndAnAdapter) {
  rename_tensors(weights("transformer"), [](const std::string& name) {
    const std::string block = "transformer_blocks.1.";
    const std::string layer = "transformer_blocks.0.attn.to_q.";
    if (name.starts_with(block)) return block + "_orig_mod." + name.substr(block.size());
    return name.starts_with(layer) ? layer + "base_layer." + name.substr(layer.size()) : name;
  });
  add_tensor(weights("transformer"), "transformer_blocks.0.attn.to_q.lora_A.default.weight");
  const std::string remark =
      (model_ / "transformer").string() +
      ": 1 tensor of an adapter (LoRA) is not used: "
      "\"transformer_blocks.0.attn.to_q.lora_A.default.weight\"; "
      "to have it in the pictures, fuse it with diffusers (fuse_lora) before you save\n";
  expect_the_same_bits();
  EXPECT_THAT(said_, HasSubstr(remark));
  EXPECT_THAT(inspect(), HasSubstr(remark));
  EXPECT_THAT(run_program({"plan", "--model", model_, "--devices", "24GiB"}).err, HasSubstr(remark));
}

TEST_F(ModelForms, ComponentsThatAreNotThere) {
  Json index = Json::parse(common::read_text_file(model_ / "model_index.json"));
  index["image_encoder"] = {nullptr, nullptr};
  common::write_file_atomically(model_ / "model_index.json", index.dump());
  expect_the_same_bits();
}

}  // namespace
}  // namespace layerpipe::launch
