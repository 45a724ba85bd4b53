// What a pipeline decides, by hand.
#include "model/pipeline/pipeline.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>

#include "common/errors.h"
#include "tests/support/parity_case.h"

namespace layerpipe::model {
namespace {

const Pipeline& layered() {
  return pipeline_of(PipelineClass::kLayered);
}
const Pipeline& text_to_image() {
  return pipeline_of(PipelineClass::kTextToImage);
}

TEST(Pipeline, LayeredHasAFrameForThePictureAndOneForTheCondition) {
  const TokenGrid grid = layered().token_grid({}, {.width = 320, .height = 224}, 4);
  EXPECT_EQ(grid.frames, 5);
  EXPECT_EQ(grid.height, 14);
  EXPECT_EQ(grid.width, 20);
  EXPECT_TRUE(grid.has_condition);
  EXPECT_EQ(layered().decoded_frames(grid), (common::Range{1, 5}));
}

TEST(Pipeline, TextToImageHasOneFrame) {
  const TokenGrid grid = text_to_image().token_grid({}, {.width = 320, .height = 224}, 4);
  EXPECT_EQ(grid.frames, 1);
  EXPECT_EQ(grid.height, 14);
  EXPECT_EQ(grid.width, 20);
  EXPECT_FALSE(grid.has_condition);
  EXPECT_EQ(text_to_image().decoded_frames(grid), (common::Range{0, 1}));
}

TEST(Pipeline, TokensAndLatentsFollowTheConfig) {
  ModelConfig model;
  model.vae.temperal_downsample = {false, true};
  model.vae.z_dim = 6;
  const TokenGrid grid = layered().token_grid(model, {.width = 320, .height = 224}, 2);
  EXPECT_EQ(grid.height, 28);
  EXPECT_EQ(grid.width, 40);
  const LatentShape shape = layered().latent_shape(model, grid);
  EXPECT_EQ(shape.frames, 3);
  EXPECT_EQ(shape.channels, 6);
  EXPECT_EQ(shape.height, 56);
  EXPECT_EQ(shape.width, 80);
}

TEST(Pipeline, APictureIsTakenApartByLayeredWithAnRgbaVae) {
  ModelConfig model{.pipeline = PipelineClass::kLayered};
  model.vae.input_channels = 4;
  layered().check_takes_picture(model, "FOLDER");
  model.vae.input_channels = 3;
  EXPECT_THAT([&] { layered().check_takes_picture(model, "FOLDER"); },
              ::testing::ThrowsMessage<common::InputError>(
                  "the VAE reads 3 channels; taking a picture apart needs 4 (RGBA)"));
  model = {.pipeline = PipelineClass::kTextToImage};
  EXPECT_THAT([&] { text_to_image().check_takes_picture(model, "FOLDER"); },
              ::testing::ThrowsMessage<common::InputError>(
                  "FOLDER holds a QwenImagePipeline, which makes pictures from text"));
}

class PromptLengths : public ::testing::Test {
 protected:
  static constexpr std::int64_t kDropped = 34;

  // More tokens than any pipeline keeps.
  std::vector<std::int64_t> token_ids(const Pipeline& pipeline) const {
    return pipeline.prompt_template().token_ids(tokenizer_, words_);
  }

  std::string words_ = [] {
    std::string words;
    for (int i = 0; i < 2000; ++i) words += " 7 !";
    return words;
  }();
  Tokenizer tokenizer_ = Tokenizer::load(layerpipe::testing::test_data() / "tokenizer");
};

TEST_F(PromptLengths, OnlyTextToImageCutsTheIds) {
  const auto all = token_ids(layered());
  ASSERT_GT(all.size(), 2000U);
  const auto cut = token_ids(text_to_image());
  ASSERT_EQ(cut.size(), 1024U + kDropped);
  EXPECT_TRUE(std::equal(cut.begin(), cut.end(), all.begin()));
}

TEST_F(PromptLengths, TheEncoderGetsWhatTheTransformerReads) {
  for (const Pipeline* pipeline : {&layered(), &text_to_image()}) {
    const PromptTemplate words = pipeline->prompt_template();
    const auto ids = words.encoder_token_ids(tokenizer_, words_);
    ASSERT_EQ(ids.size(), static_cast<std::size_t>(kDropped + kLongestPrompt));
    const auto all = token_ids(*pipeline);
    EXPECT_TRUE(std::equal(ids.begin(), ids.end(), all.begin()));
    EXPECT_EQ(words.prompt_length(ids.size()), kLongestPrompt);
    const at::Tensor rows = words.prompt_rows(at::arange(kDropped + 3).view({-1, 1}));
    EXPECT_TRUE(at::equal(rows.flatten(), at::arange(kDropped, kDropped + 3)));
  }
}

// This vocabulary makes more tokens of the template than the real one, of which all are dropped: the rest
// takes the places of the prompt's.
TEST_F(PromptLengths, TellWhatOfThePromptIsCutOff) {
  const PromptTemplate words = layered().prompt_template();
  const std::int64_t reads =
      kLongestPrompt + kDropped - static_cast<std::int64_t>(tokenizer_.encode(words.before).size());
  ASSERT_GT(reads, 400);
  const auto prompt_of = [](std::int64_t tokens) {
    std::string prompt;
    for (std::int64_t i = 0; i < tokens; ++i) prompt += i % 2 == 0 ? "7" : "!";
    return prompt;
  };
  ASSERT_EQ(tokenizer_.encode(prompt_of(600)).size(), 600U);
  EXPECT_FALSE(words.cut(tokenizer_, ""));
  EXPECT_FALSE(words.cut(tokenizer_, prompt_of(reads - 4))) << "only the template's end is cut";
  EXPECT_FALSE(words.cut(tokenizer_, prompt_of(reads)));
  const auto one = words.cut(tokenizer_, prompt_of(reads + 1));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->tokens, reads + 1);
  EXPECT_EQ(one->read_tokens, reads);
  EXPECT_EQ(one->dropped, reads % 2 == 0 ? "7" : "!");
  const auto many = words.cut(tokenizer_, prompt_of(reads) + "7 \n!7<|im_end|>!");
  ASSERT_TRUE(many);
  EXPECT_EQ(many->dropped, "7 \n!7<|im_end|>!");
}

// What is told as cut off has no effect, and what is not has one.
TEST_F(PromptLengths, TheRestOfAPromptIsAllThatCounts) {
  const PromptTemplate words = layered().prompt_template();
  const std::string whole = words_ + "the end";
  const auto cut = words.cut(tokenizer_, whole);
  ASSERT_TRUE(cut);
  ASSERT_TRUE(whole.ends_with(cut->dropped));
  std::string other = whole.substr(0, whole.size() - cut->dropped.size());
  EXPECT_EQ(words.encoder_token_ids(tokenizer_, other + " 7 other words"),
            words.encoder_token_ids(tokenizer_, whole));
  EXPECT_EQ(words.encoder_token_ids(tokenizer_, other), words.encoder_token_ids(tokenizer_, whole));
  other.pop_back();
  EXPECT_NE(words.encoder_token_ids(tokenizer_, other), words.encoder_token_ids(tokenizer_, whole));
}

}  // namespace
}  // namespace layerpipe::model
