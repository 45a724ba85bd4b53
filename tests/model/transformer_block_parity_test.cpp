// Single layers against diffusers and transformers, with activations of 1e-3, where the epsilons of their
// norms matter, and of unit scale (tools/parity/small_scale.py).
//
// The limit: two right programs in fp32 are less than 1e-6 apart here, since a single layer adds up less than
// a whole model; a norm's epsilon of 1e-5 in place of 1e-6 moves a result by more than 1e-2.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "model/ops/ops.h"
#include "model/text_encoder/text_encoder.h"
#include "model/transformer/transformer.h"
#include "model/weights/safetensors.h"
#include "tests/support/modulation.h"
#include "tests/support/parity_case.h"

namespace layerpipe::model {
namespace {

using layerpipe::testing::is_close;

constexpr double kLimit = 2e-6;

class SmallScaleParity : public ::testing::TestWithParam<std::string> {
 protected:
  SmallScaleParity() {
    config_.in_channels = 8;
    config_.out_channels = 2;
    config_.num_layers = 1;
    config_.attention_head_dim = 12;
    config_.num_attention_heads = 2;
    config_.joint_attention_dim = 16;
    config_.axes_dims_rope = {4, 2, 6};
    config_.use_layer3d_rope = true;
  }

  // A tensor of the scale under test.
  at::Tensor scaled(const std::string& name) const { return file_.read(GetParam() + "." + name); }
  // A copy, for what is changed in place.
  at::Tensor input(const std::string& name) const { return scaled(name).clone(); }

  // Of the model's only block, and of the head.
  ModulationRow modulation() const {
    return layerpipe::testing::modulation_from(store_.scope("transformer"), config_, {0, 1},
                                               at::silu(file_.read("temb")));
  }

  SafetensorsFile file_{layerpipe::testing::test_data() / "parity" / "small_scale.safetensors"};
  WeightStore store_{
      std::make_shared<SafetensorsSource>(layerpipe::testing::test_data() / "parity", "small_scale"),
      at::kCPU, at::kFloat};
  TransformerConfig config_;
};

TEST_P(SmallScaleParity, TransformerBlockEqualsDiffusers) {
  const TokenGrid grid{.frames = 2, .height = 2, .width = 3, .has_condition = true};
  Streams streams{input("hidden_states"), input("encoder_hidden_states")};
  const JointRotary rotary{
      image_rotary_table(grid, config_.axes_dims_rope, at::kCPU),
      text_rotary_table(grid, config_.axes_dims_rope, streams.encoder_hidden_states.size(0), at::kCPU)};
  const BlockModulation modulation = this->modulation().block(0);
  // The last block of a model has no text result, so this one is loaded as one of two.
  config_.num_layers = 2;
  const TransformerBlockWeights weights = load_transformer_block(store_.scope("transformer"), config_, 0);
  TransformerBlock(config_).forward(weights, streams, modulation, rotary, ops::full_attention);
  EXPECT_TRUE(is_close(streams.hidden_states, scaled("block.hidden_states"), kLimit));
  EXPECT_TRUE(is_close(streams.encoder_hidden_states, scaled("block.encoder_hidden_states"), kLimit));
}

TEST_P(SmallScaleParity, LastTransformerBlockGivesTheSameImageStream) {
  const TokenGrid grid{.frames = 2, .height = 2, .width = 3, .has_condition = true};
  Streams streams{input("hidden_states"), input("encoder_hidden_states")};
  const JointRotary rotary{
      image_rotary_table(grid, config_.axes_dims_rope, at::kCPU),
      text_rotary_table(grid, config_.axes_dims_rope, streams.encoder_hidden_states.size(0), at::kCPU)};
  const TransformerBlockWeights weights = load_transformer_block(store_.scope("transformer"), config_, 0);
  ASSERT_FALSE(weights.text_result_is_read);
  TransformerBlock(config_).forward(weights, streams, modulation().block(0), rotary, ops::full_attention);
  EXPECT_TRUE(is_close(streams.hidden_states, scaled("block.hidden_states"), kLimit));
}

TEST_P(SmallScaleParity, OutputHeadEqualsDiffusers) {
  const at::Tensor hidden_states = scaled("hidden_states");
  const OutputHead head(store_.scope("transformer"), config_);
  EXPECT_TRUE(is_close(head.forward(hidden_states, modulation().head(), hidden_states.size(0)),
                       scaled("head"), kLimit));
}

TEST_P(SmallScaleParity, EmbeddedPromptEqualsDiffusers) {
  const StreamEmbedder embedder(store_.scope("transformer"), config_);
  const Streams streams = embedder.forward(at::zeros({1, config_.in_channels}), {}, scaled("prompt_embeds"));
  EXPECT_TRUE(is_close(streams.encoder_hidden_states, scaled("embedded_text"), kLimit));
}

TEST_P(SmallScaleParity, TextEncoderLayerEqualsTransformers) {
  TextEncoderConfig config;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.rms_norm_eps = 1e-5;
  const at::Tensor hidden_states = input("text_layer_in");
  const RotaryTable rotary =
      causal_rotary_table(hidden_states.size(0), config.head_dim(), config.rope_theta, at::kCPU, at::kFloat);
  TextLayer(config).forward(load_text_layer(store_.scope("text_encoder"), config, 0), hidden_states, rotary);
  EXPECT_TRUE(is_close(hidden_states, scaled("text_layer_out"), kLimit));
}

INSTANTIATE_TEST_SUITE_P(Scales, SmallScaleParity, ::testing::Values("unit", "small"),
                         [](const auto& info) { return info.param; });

// Pixels that are shorter than the smallest length the norm divides by, down to none at all; each pixel is
// compared on its own, since the long ones would hide the short.
TEST(VaeNormParity, EqualsDiffusersForShortPixels) {
  const SafetensorsFile file(layerpipe::testing::test_data() / "parity" / "small_scale.safetensors");
  const at::Tensor result = ops::channel_norm(file.read("vae_norm.in"), file.read("vae_norm.gamma"));
  const at::Tensor& expected = file.read("vae_norm.out");
  EXPECT_EQ(result.select(-1, 0).abs().max().item<float>(), 0.0F);
  EXPECT_EQ(expected.select(-1, 0).abs().max().item<float>(), 0.0F);
  for (std::int64_t pixel = 1; pixel < result.size(-1); ++pixel) {
    EXPECT_TRUE(is_close(result.select(-1, pixel), expected.select(-1, pixel), kLimit)) << "pixel " << pixel;
  }
}

}  // namespace
}  // namespace layerpipe::model
