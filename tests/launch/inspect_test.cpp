// `layerpipe inspect` from outside.
#include <nlohmann/json.hpp>

#include "tests/launch/program.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::Outcome;
using layerpipe::testing::run_program;
using layerpipe::testing::small_model;

TEST(Inspect, TableGoesToStdout) {
  const Outcome outcome = run_program({"inspect", "--model", small_model()});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, ::testing::StartsWith(small_model().string() + ": QwenImageLayeredPipeline\n\n"));
  for (const char* line : {"component           bytes   parameters tensors  files  dtype          shape\n",
                           "2 blocks, 2 heads × 16\n", "2 layers, 4 heads × 8, 2 for keys\n",
                           "4 levels from 4 channels, 4 in and out, 16 latent\n"}) {
    EXPECT_THAT(outcome.out, ::testing::HasSubstr(line));
  }
}

TEST(Inspect, JsonGoesToStdout) {
  const Outcome outcome = run_program({"inspect", "--json", "--model", small_model()});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("pipeline"), "QwenImageLayeredPipeline");
  ASSERT_EQ(json.at("components").size(), 3U);
  for (const auto& component : json.at("components")) {
    std::uint64_t bytes = 0;
    for (const auto& [name, part] : component.at("part_bytes").items()) bytes += part.get<std::uint64_t>();
    EXPECT_EQ(component.at("bytes"), bytes) << component.at("component");
    EXPECT_EQ(component.at("dtypes"), nlohmann::json({"BFloat16"}));
    EXPECT_EQ(component.at("files"), 1);
    EXPECT_EQ(component.at("bytes"), 2 * component.at("parameters").get<std::uint64_t>());
  }
  EXPECT_TRUE(json.at("components")[0].at("part_bytes").contains("transformer_blocks.1"));
}

// Whatever bytes the name of a file holds.
TEST(Inspect, JsonIsValidWhateverFilesAreCalled) {
  const layerpipe::testing::TemporaryFolder folder;
  const std::filesystem::path model = folder.path() / "model \xE9\x1b[31m";
  std::filesystem::copy(small_model(), model, std::filesystem::copy_options::recursive);
  std::filesystem::rename(model / "vae" / "diffusion_pytorch_model.safetensors",
                          model / "vae" / "weights \xFF\x1b[31m\xE2\x80\xAE.safetensors");
  const Outcome outcome = run_program({"inspect", "--json", "--model", model});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("components")[2].at("file"),
            "weights \uFFFD\u001b[31m\u202E.safetensors");
}

}  // namespace
}  // namespace layerpipe::launch
