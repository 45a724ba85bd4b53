// Names in a file, and the network's names behind them.
#include "model/weights/tensor_names.h"

#include "common/errors.h"
#include "model/weights/foreign_weights.h"
#include "tests/support/refusal.h"

namespace layerpipe::model {
namespace {

using Names = std::vector<std::string>;

const Names kNames{"img_in.weight", "transformer_blocks.0.attn.to_q.weight", "proj_out.bias"};

Names with_prefix(const std::string& prefix) {
  Names names;
  for (const std::string& name : kNames) names.push_back(prefix + name);
  return names;
}

std::string refusal(const Names& names) {
  return layerpipe::testing::refusal("/f", [&] { read_tensor_names(names, "/f"); });
}

TEST(TensorNames, PlainNamesStay) {
  const TensorNames found = read_tensor_names(kNames, "f");
  EXPECT_EQ(found.prefix, "");
  EXPECT_EQ(found.stored.size(), kNames.size());
  for (const std::string& name : kNames) EXPECT_EQ(found.stored.at(name), name);
  EXPECT_TRUE(read_tensor_names({}, "f").stored.empty());
}

// Those of text encoders begin with words that are no prefix.
TEST(TensorNames, NamesOfATextEncoderStay) {
  for (const Names& names :
       {Names{"model.layers.0.mlp.up_proj.weight", "model.norm.weight"},
        Names{"model.language_model.norm.weight", "model.visual.merger.mlp.0.weight", "lm_head.weight"}}) {
    EXPECT_EQ(read_tensor_names(names, "f").prefix, "");
  }
}

TEST(TensorNames, APrefixOfAllIsLeftOut) {
  for (const char* prefix :
       {"model.diffusion_model.", "diffusion_model.", "transformer.", "_orig_mod.", "module.",
        "module._orig_mod.", "_orig_mod.module.", "model.diffusion_model._orig_mod.", "base_model.model."}) {
    const TensorNames found = read_tensor_names(with_prefix(prefix), "f");
    EXPECT_EQ(found.prefix, prefix);
    for (const std::string& name : kNames) EXPECT_EQ(found.stored.at(name), prefix + name);
  }
}

TEST(TensorNames, APrefixOfSomeIsNot) {
  Names names = with_prefix("model.diffusion_model.");
  names.push_back("vae.decoder.conv_in.weight");
  const TensorNames found = read_tensor_names(names, "f");
  EXPECT_EQ(found.prefix, "");
  EXPECT_EQ(found.partial_prefix, "model.diffusion_model.");
  EXPECT_EQ(found.with_partial_prefix, 3U);
  EXPECT_FALSE(found.stored.contains("img_in.weight"));
}

TEST(TensorNames, WrappersOfSingleLayersAreLeftOut) {
  const Names names{"img_in.weight", "transformer_blocks.0._orig_mod.attn.to_q.weight",
                    "transformer_blocks.0._orig_mod.attn._checkpoint_wrapped_module.to_k.base_layer.weight"};
  const TensorNames found = read_tensor_names(names, "f");
  EXPECT_EQ(found.stored.at("transformer_blocks.0.attn.to_q.weight"), names[1]);
  EXPECT_EQ(found.stored.at("transformer_blocks.0.attn.to_k.weight"), names[2]);
}

TEST(TensorNames, RefusesTwoThatBecomeOne) {
  EXPECT_EQ(refusal({"a.base_layer.weight", "a.weight"}),
            "FILE: the tensors \"a.base_layer.weight\" and \"a.weight\" would both be \"a.weight\"");
  EXPECT_EQ(refusal({"_orig_mod.a.weight", "a.weight", "b"}),
            "FILE: the tensors \"_orig_mod.a.weight\" and \"a.weight\" would both be \"a.weight\"");
}

TEST(TensorNames, RefusesAVaeInTheNamesOfComfyUi) {
  EXPECT_EQ(refusal({"conv1.weight", "decoder.upsamples.0.residual.0.gamma", "encoder.conv1.weight"}),
            "FILE: the tensors have the names of ComfyUI and Wan, such as "
            "\"decoder.upsamples.0.residual.0.gamma\"; layerpipe reads those of diffusers");
}

TEST(TensorNames, AnAdaptersTensorsAreNoWeights) {
  Names names = with_prefix("model.diffusion_model.");
  names.push_back("transformer_blocks.0.attn.to_q.lora_A.weight");
  names.push_back("transformer_blocks.0.attn.to_q.alpha");
  const TensorNames found = read_tensor_names(names, "f");
  EXPECT_EQ(found.prefix, "model.diffusion_model.") << "of the weights";
  EXPECT_EQ(found.adapters, Names(names.begin() + 3, names.end()));
  EXPECT_EQ(found.stored.size(), 5U);
  EXPECT_EQ(refusal({names[3], names[4]}),
            "FILE: there are only tensors of an adapter (LoRA), such as "
            "\"transformer_blocks.0.attn.to_q.lora_A.weight\", and not the weights that it changes");
}

TEST(ForeignWeights, AdaptersAreToldFromWeights) {
  const std::string layer = "transformer_blocks.3.attn.to_q";
  const std::map<std::string, std::string> forms{{"transformer." + layer + ".lora_A.weight", "LoRA"},
                                                 {layer + ".lora_B.default.weight", "LoRA"},
                                                 {layer + ".lora_down.weight", "LoRA"},
                                                 {layer + ".lora.up.weight", "LoRA"},
                                                 {layer + "_lora.up.weight", "LoRA"},
                                                 {"lora_unet_transformer_blocks_3_attn_to_q.alpha", "LoRA"},
                                                 {"lycoris_transformer_blocks_3_attn_to_q.x", "LyCORIS"},
                                                 {layer + ".lokr_w1_a", "LoKr"},
                                                 {layer + ".hada_w1_b", "LoHa"},
                                                 {layer + ".dora_scale", "DoRA"},
                                                 {layer + ".diff_b", "difference of weights"},
                                                 {layer + ".weight", ""},
                                                 {"norm_out.linear.bias", ""},
                                                 {"decoder.mid_block.attentions.0.norm.gamma", ""},
                                                 {"model.layers.0.self_attn.q_proj.weight", ""}};
  for (const auto& [name, form] : forms) EXPECT_EQ(adapter_of(name), form) << name;
}

TEST(ForeignWeights, QuantisedFormsAreKnownByTheirTensors) {
  const std::string layer = "transformer_blocks.3.attn.to_q.";
  const std::map<std::string, std::string> forms{
      {"weight.quant_state.bitsandbytes__nf4", "bitsandbytes (4 bits)"},
      {"SCB", "bitsandbytes (8 bits)"},
      {"g_idx", "GPTQ"},
      {"qzeros", "AWQ"},
      {"wscales", "nunchaku (SVDQuant)"},
      {"weight._data", "quanto"},
      {"_weight_qdata", "torchao"},
      {"weight_packed", "compressed-tensors"},
      {"weight_scale_inv", "fp8 in blocks"},
      {"weight_scales", "EETQ"}};
  for (const auto& [end, form] : forms) {
    const Names names{"img_in.weight", layer + end};
    const auto found = quantisation_of(names);
    ASSERT_TRUE(found.has_value()) << end;
    EXPECT_EQ(found->form, form);
    EXPECT_EQ(found->tensor, layer + end);
    EXPECT_EQ(refusal(names), "FILE: the weights are quantised in the form of " + form +
                                  ", as the tensor \"" + layer + end +
                                  "\" shows; layerpipe does not read that");
  }
  EXPECT_FALSE(quantisation_of(kNames).has_value());
}

// What belongs to quantised weights that are read has the prefix of the file, or stands without it.
TEST(TensorNames, MarksOfQuantisedWeightsDoNotHinderAPrefix) {
  const std::string layer = "diffusion_model.a.";
  for (const std::string mark : {"scaled_fp8", "diffusion_model.scaled_fp8"}) {
    const TensorNames found = read_tensor_names({layer + "weight", layer + "scale_weight", mark}, "FILE");
    EXPECT_EQ(found.prefix, "diffusion_model.");
    EXPECT_EQ(found.stored.at("a.scale_weight"), layer + "scale_weight");
    EXPECT_EQ(found.stored.at("scaled_fp8"), mark);
  }
}

// GPTQ has the packed weights and zeros of AWQ as well; what it has alone decides.
TEST(ForeignWeights, WhatSeveralFormsShareDecidesLast) {
  EXPECT_EQ(quantisation_of({"a.qweight", "a.qzeros", "a.scales", "a.g_idx"})->form, "GPTQ");
  EXPECT_EQ(quantisation_of({"a.qweight", "a.qzeros", "a.scales"})->form, "AWQ");
  EXPECT_EQ(quantisation_of({"a.qweight", "a.wscales", "a.lora_down"})->form, "nunchaku (SVDQuant)");
}

TEST(ForeignWeights, FilesOfOtherKindsAreKnownByTheirFirstBytes) {
  const auto what = [](std::string_view begin) {
    const auto found = foreign_file(std::as_bytes(std::span(begin.data(), begin.size())));
    return found ? found->what : "";
  };
  EXPECT_EQ(what("version https://git-lfs"), "is a Git LFS pointer, not the file that it stands for");
  EXPECT_EQ(what("GGUF"), "is a GGUF file; layerpipe reads safetensors");
  EXPECT_EQ(what({"PK\x03\x04\0", 5}), "is a pickle that torch.save wrote; layerpipe reads safetensors");
  EXPECT_EQ(what("<!DOCTYPE html>"), "is a web page, not the file");
  EXPECT_EQ(what("PK"), "");
  EXPECT_EQ(what(""), "");
}

}  // namespace
}  // namespace layerpipe::model
