// Which files of a component's folder are its weights.
#include "model/weights/weight_files.h"

#include "common/errors.h"
#include "common/files.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

using Names = std::vector<std::string>;

class WeightFilesTest : public ::testing::Test {
 protected:
  void make(const Names& names) const {
    std::filesystem::create_directories(folder());
    for (const std::string& name : names)
      common::write_file_atomically(folder() / name, std::string_view("x"));
  }
  std::filesystem::path folder() const { return folder_.path() / "vae"; }
  WeightFiles find(const std::string& variant = {}) const {
    return find_weight_files(folder(), "diffusion_pytorch_model", variant);
  }
  std::string refusal(const std::string& variant = {}) const {
    return layerpipe::testing::refusal(folder().string(), [&] { find(variant); });
  }
  // What the refusal says to do.
  std::string cure() const {
    try {
      find();
    } catch (const common::InputError& error) {
      return error.remedy();
    }
    return "accepted";
  }

  layerpipe::testing::TemporaryFolder folder_;
};

TEST_F(WeightFilesTest, TakesThePlainFile) {
  make({"config.json", "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors",
        "other.safetensors", "diffusion_pytorch_model.bin"});
  const WeightFiles found = find();
  EXPECT_EQ(found.files, Names{"diffusion_pytorch_model.safetensors"});
  EXPECT_EQ(found.index, "");
  EXPECT_EQ(found.variant, "");
  EXPECT_FALSE(found.has_own_name);
}

TEST_F(WeightFilesTest, AnIndexGoesBeforeAFile) {
  make({"diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json"});
  EXPECT_EQ(find().index, "diffusion_pytorch_model.safetensors.index.json");
  EXPECT_EQ(find().files, Names{});
}

TEST_F(WeightFilesTest, TakesTheOnlyVariant) {
  make({"diffusion_pytorch_model.fp16.safetensors"});
  EXPECT_EQ(find().files, Names{"diffusion_pytorch_model.fp16.safetensors"});
  EXPECT_EQ(find().variant, "fp16");
  EXPECT_EQ(find("bf16").variant, "fp16") << "the folder's only one, when the other component has it";
}

TEST_F(WeightFilesTest, TakesTheIndexOfAVariant) {
  make({"diffusion_pytorch_model.safetensors.index.bf16.json",
        "diffusion_pytorch_model.bf16-00001-of-00002.safetensors",
        "diffusion_pytorch_model.bf16-00002-of-00002.safetensors"});
  EXPECT_EQ(find().index, "diffusion_pytorch_model.safetensors.index.bf16.json");
  EXPECT_EQ(find().variant, "bf16");
}

TEST_F(WeightFilesTest, OneOfSeveralVariantsIsChosen) {
  make({"diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.bf16.safetensors"});
  EXPECT_EQ(refusal(),
            "FILE has weights of the variants bf16 and fp16, and none without a variant in their names");
  EXPECT_EQ(cure(), "Choose one: --variant bf16 or --variant fp16.");
  EXPECT_EQ(refusal("fp8"), refusal()) << "which another component has";
  EXPECT_EQ(find("fp16").files, Names{"diffusion_pytorch_model.fp16.safetensors"});
  EXPECT_EQ(find("bf16").variant, "bf16");
  make({"diffusion_pytorch_model.safetensors"});
  EXPECT_EQ(find().variant, "");
  EXPECT_EQ(find("fp16").variant, "fp16");
  EXPECT_EQ(find(kPlainVariant).variant, "");
}

// In both orders that versions of the libraries have written.
TEST_F(WeightFilesTest, ShardsNeedNoIndex) {
  make({"diffusion_pytorch_model-00001-of-00002.safetensors",
        "diffusion_pytorch_model-00002-of-00002.safetensors"});
  EXPECT_EQ(find().files, (Names{"diffusion_pytorch_model-00001-of-00002.safetensors",
                                 "diffusion_pytorch_model-00002-of-00002.safetensors"}));
  make({"diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
        "diffusion_pytorch_model-00001-of-00001.bf16.safetensors"});
  EXPECT_EQ(find("fp16").files, Names{"diffusion_pytorch_model.fp16-00001-of-00001.safetensors"});
  EXPECT_EQ(find("bf16").files, Names{"diffusion_pytorch_model-00001-of-00001.bf16.safetensors"});
}

TEST_F(WeightFilesTest, NamesTheMissingShard) {
  make({"diffusion_pytorch_model-00001-of-00003.safetensors",
        "diffusion_pytorch_model-00003-of-00003.safetensors"});
  EXPECT_EQ(refusal(),
            "FILE has no index and lacks file 2 of 3 beside "
            "diffusion_pytorch_model-00001-of-00003.safetensors");
}

TEST_F(WeightFilesTest, TakesTheOnlyFileWhateverItsName) {
  make({"qwen_image_layered_bf16.safetensors", "config.json"});
  EXPECT_TRUE(find().has_own_name);
  EXPECT_EQ(find().files, Names{"qwen_image_layered_bf16.safetensors"});
  make({"other.safetensors"});
  EXPECT_EQ(refusal(),
            "FILE has no diffusion_pytorch_model.safetensors, but several other files: other.safetensors and "
            "qwen_image_layered_bf16.safetensors");
}

TEST_F(WeightFilesTest, RefusesPicklesWithTheCommandThatConvertsThem) {
  make({"diffusion_pytorch_model.bin"});
  EXPECT_EQ(refusal(),
            "FILE has its weights as a pickle, diffusion_pytorch_model.bin, which can run code when it is "
            "read; layerpipe reads safetensors");
  EXPECT_EQ(cure(),
            "Convert it: python3 -c 'import sys, torch, diffusers as m; "
            "m.AutoencoderKLQwenImage.from_pretrained(sys.argv[1], torch_dtype=torch.bfloat16, "
            "use_safetensors=False).save_pretrained(sys.argv[1])' " +
                folder().string());
}

TEST_F(WeightFilesTest, RefusesGguf) {
  make({"qwen-image-layered-Q4_K_M.gguf"});
  EXPECT_EQ(refusal(),
            "FILE has its weights as GGUF, qwen-image-layered-Q4_K_M.gguf; layerpipe reads safetensors");
}

TEST_F(WeightFilesTest, RefusesAFolderWithoutAny) {
  const std::string message =
      "FILE has neither diffusion_pytorch_model.safetensors nor "
      "diffusion_pytorch_model.safetensors.index.json";
  EXPECT_EQ(refusal(), message);
  make({"config.json"});
  EXPECT_EQ(refusal("bf16"), message);
}

TEST_F(WeightFilesTest, AVariantIsOneOfSomeComponent) {
  make({"diffusion_pytorch_model.bf16.safetensors", "diffusion_pytorch_model.safetensors"});
  const auto check = [&](const std::string& variant) {
    return layerpipe::testing::refusal(folder_.path().string(),
                                       [&] { check_variant(folder_.path(), variant); });
  };
  for (const char* there : {"", "bf16", "plain"}) EXPECT_EQ(check(there), "accepted") << there;
  EXPECT_EQ(check("fp16"), "--variant fp16: no component of FILE has weights of that variant");
}

}  // namespace
}  // namespace layerpipe::model
