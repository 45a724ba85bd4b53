// The forms of quantised weights, on headers alone. tests/runtime/quantised_parity_test.cpp reads files.
#include "model/weights/quantised_formats.h"

#include <gmock/gmock.h>

#include "tests/support/refusal.h"

namespace layerpipe::model {
namespace {

constexpr auto kE4m3 = at::kFloat8_e4m3fn;

// Headers of one file, "FILE".
class QuantisedFormats : public ::testing::Test {
 protected:
  QuantisedFormats() {
    headers_.read_text = [this](const std::string& name) { return texts_.at(name); };
    add("norm.weight", at::kBFloat16, {16});
    add("kept.weight", at::kBFloat16, {32, 16});
  }
  void add(const std::string& name, at::ScalarType dtype, std::vector<std::int64_t> shape) {
    headers_.tensors[name] = {dtype, std::move(shape), "FILE"};
  }
  void mark(const std::string& layer, const std::string& text) {
    add(layer + ".comfy_quant", at::kByte, {static_cast<std::int64_t>(text.size())});
    texts_[layer + ".comfy_quant"] = text;
  }
  // "a" and "b", quantised by ComfyUI.
  void add_comfy() {
    for (const std::string layer : {"a", "b"}) {
      add(layer + ".weight", kE4m3, {32, 16});
      add(layer + ".weight_scale", at::kFloat, {});
    }
    mark("a", R"({"format": "float8_e4m3fn"})");
    headers_.metadata = {
        {"FILE", R"({"format_version": "1.0", "layers": {"b": {"format": "float8_e4m3fn"}}})"}};
  }
  std::map<std::string, QuantisedTensor> find() const { return find_quantised_tensors(headers_); }
  std::string refusal() const {
    return layerpipe::testing::refusal("no path", [&] { find(); });
  }

  ComponentHeaders headers_;
  std::map<std::string, std::string> texts_;
};

TEST_F(QuantisedFormats, NoneInUsualWeights) {
  EXPECT_TRUE(find().empty());
}

TEST_F(QuantisedFormats, ComfyUiMarksInTwoWaysInOneFile) {
  add_comfy();
  mark("a", R"({"format": "float8_e4m3fn", "full_precision_matrix_mult": true})");
  const auto found = find();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found.at("a.weight").format, QuantisedFormat::kComfyFp8);
  EXPECT_EQ(found.at("a.weight").scale, "a.weight_scale");
  EXPECT_EQ(found.at("a.weight").fastest, ops::Product::kWeightOnly);
  EXPECT_EQ(found.at("b.weight").format, QuantisedFormat::kComfyFp8);
  EXPECT_EQ(found.at("b.weight").fastest, ops::Product::kFp8);
}

TEST_F(QuantisedFormats, AScaleUnderAnotherNameIsRefusedNotLeftOut) {
  for (const char* name : {"a.scale", "a.weight.scale", "a.weight_scale_rows", "a.weight_scale_2",
                           "a.pre_quant_scale", "a.input_scale", "a.zero_point"}) {
    for (const bool has_scale : {true, false}) {
      if (has_scale && name == std::string("a.input_scale")) continue;
      headers_.tensors.clear();
      add("a.weight", kE4m3, {32, 16});
      add("a.bias", at::kBFloat16, {32});
      if (has_scale) add("a.weight_scale", at::kFloat, {});
      add(name, at::kFloat, {});
      EXPECT_THAT(refusal(), ::testing::StartsWith("FILE: tensor \"" + std::string(name) +
                                                   "\" lies beside the quantised \"a.weight\""));
    }
  }
  headers_.tensors.erase("a.zero_point");
  EXPECT_EQ(find().size(), 1U);
  add("a_scale", at::kFloat, {32});
  EXPECT_THAT(refusal(), ::testing::StartsWith("FILE: tensor \"a_scale\" may be a scale of quantised"));
}

TEST_F(QuantisedFormats, WhereSomeAreMarkedAllAre) {
  add_comfy();
  add("c.weight", kE4m3, {32, 16});
  add("c.weight_scale", at::kFloat, {});
  EXPECT_THAT(refusal(), ::testing::StartsWith("FILE: tensor \"c.weight\" is quantised and has no mark "
                                               "\"c.comfy_quant\", while others have one"));
  mark("c", R"({"format": "float8_e4m3fn"})");
  EXPECT_EQ(find().size(), 3U);
}

TEST_F(QuantisedFormats, TheOldMarkLiesWhereTheWeightsLie) {
  add("a.weight", kE4m3, {32, 16});
  add("model.diffusion_model.scaled_fp8", at::kFloat, {});
  EXPECT_THAT(refusal(), ::testing::StartsWith("FILE: the mark \"model.diffusion_model.scaled_fp8\" does "
                                               "not lie where the weights lie"));
}

TEST_F(QuantisedFormats, MetadataOfAnotherVersionIsNotGuessedAt) {
  add_comfy();
  const auto set_version = [&](const std::string& version) {
    headers_.metadata.front().second =
        R"({"format_version": )" + version + R"(, "layers": {"b": {"format": "float8_e4m3fn"}}})";
  };
  for (const std::string version : {"\"1\"", "\"1.0\"", "\"1.3\"", "1", "1.5"}) {
    set_version(version);
    EXPECT_EQ(find().size(), 2u) << version;
  }
  for (const std::string version :
       {"\"9.0\"", "\"10.0\"", "\"0.9\"", "\"1.banana\"", "\"1.\"", "\"\"", "2", "0", "true", "[1]"}) {
    set_version(version);
    EXPECT_THAT(refusal(),
                ::testing::StartsWith("FILE: \"_quantization_metadata\" of its header is of version " +
                                      version + "; layerpipe knows version 1"));
  }
}

TEST_F(QuantisedFormats, ARotationNeedsTheSizeOfItsGroups) {
  add("a.weight", at::kChar, {32, 16});
  add("a.weight_scale", at::kFloat, {32});
  mark("a", R"({"format": "int8_tensorwise", "convrot": true})");
  EXPECT_THAT(refusal(),
              ::testing::HasSubstr("is rotated, and no \"convrot_groupsize\" says in which groups"));
}

TEST_F(QuantisedFormats, LayersOfTheMetadataMayHaveThePrefixOfTheFile) {
  add_comfy();
  headers_.prefix = "diffusion_model.";
  headers_.metadata.front().second = R"({"layers": {"diffusion_model.b": {"format": "float8_e4m3fn"}}})";
  EXPECT_EQ(find().size(), 2U);
}

TEST_F(QuantisedFormats, BothMarksOfOneLayerHaveToAgree) {
  add_comfy();
  mark("b", R"({"format": "float8_e4m3fn"})");
  EXPECT_EQ(find().size(), 2U);
  mark("b", R"({"format": "float8_e4m3fn", "full_precision_matrix_mult": true})");
  EXPECT_EQ(
      refusal(),
      "FILE: tensor \"b.comfy_quant\" and \"b\" in \"_quantization_metadata\" of its header say different "
      "things");
}

TEST_F(QuantisedFormats, MarksHaveToBeWholeAndKnown) {
  const std::string begin = "FILE: tensor \"a.comfy_quant\" ";
  const std::map<std::string, std::string> messages{
      {R"({"format": "nvfp4"})",
       "says that \"a.weight\" has the format \"nvfp4\", which layerpipe does not read"},
      {R"({"format": "float8_e4m3fn", "turned": 3})", "says \"turned\": 3, which layerpipe does not know"},
      {R"({"full_precision_matrix_mult": true})", "names no \"format\""},
      {R"([1])", "is not a JSON object"},
      {R"({"format": "float8_e4m3fn", "convrot": true, "convrot_groupsize": 16})",
       "says that \"a.weight\" is rotated in groups of 16; layerpipe reads int8 in groups of a power of 4, "
       "4096 at most, "
       "that "
       "divides the inputs"}};
  for (const auto& [text, message] : messages) {
    add_comfy();
    mark("a", text);
    EXPECT_EQ(refusal(), begin + message) << text;
  }
  add_comfy();
  headers_.tensors.erase("a.weight");
  EXPECT_EQ(refusal(), begin + "marks \"a.weight\", which is missing");
  add_comfy();
  headers_.tensors.erase("a.weight_scale");
  EXPECT_EQ(refusal(), "FILE: tensor \"a.weight\" is quantised, but its scale \"a.weight_scale\" is missing");
  add_comfy();
  add("a.weight", at::kBFloat16, {32, 16});
  EXPECT_EQ(refusal(),
            "FILE: tensor \"a.weight\" has another dtype than float8_e4m3fn, which tensor "
            "\"a.comfy_quant\" says");
}

TEST_F(QuantisedFormats, Int8AsComfyUiHasIt) {
  for (const std::string layer : {"a", "b"}) {
    add(layer + ".weight", at::kChar, {32, 16});
    add(layer + ".weight_scale", at::kFloat, {32, 1});
  }
  mark("a", R"({"format": "int8_tensorwise", "convrot": true, "convrot_groupsize": 16})");
  mark("b", R"({"format": "int8_tensorwise"})");
  const auto found = find();
  EXPECT_EQ(found.at("a.weight").format, QuantisedFormat::kComfyConvRot8);
  EXPECT_EQ(found.at("a.weight").rotated_group, 16);
  EXPECT_EQ(found.at("b.weight").format, QuantisedFormat::kComfyInt8);
  EXPECT_EQ(found.at("b.weight").rotated_group, 0);
  for (const std::string group : {"0", "8", "64", "4611686018427387905"}) {
    mark("a", R"({"format": "int8_tensorwise", "convrot": true, "convrot_groupsize": )" + group + "}");
    EXPECT_EQ(refusal(),
              "FILE: tensor \"a.comfy_quant\" says that \"a.weight\" is rotated in groups of " + group +
                  "; layerpipe reads int8 in groups of a power of 4, 4096 at most, that divides the inputs");
  }
  headers_.tensors.erase("a.comfy_quant");
  EXPECT_EQ(refusal(),
            "FILE: tensor \"a.weight\" is I8, but its mark \"a.comfy_quant\" is missing, which says "
            "whether it is rotated");
}

TEST_F(QuantisedFormats, OlderComfyUi) {
  add("scaled_fp8", at::kFloat, {0});
  add("a.weight", kE4m3, {32, 16});
  add("a.scale_weight", at::kFloat, {1});
  add("a.scale_input", at::kFloat, {});
  EXPECT_EQ(find().at("a.weight").format, QuantisedFormat::kOldComfyFp8);
  EXPECT_EQ(find().at("a.weight").fastest, ops::Product::kFp8);
  add("scaled_fp8", at::kFloat, {2});
  EXPECT_EQ(find().at("a.weight").fastest, ops::Product::kWeightOnly);
  add("scaled_fp8", at::kFloat8_e5m2, {2});
  EXPECT_EQ(refusal(),
            "FILE: the dtype of tensor \"scaled_fp8\" stands for weights in another one than F8_E4M3");
  add("scaled_fp8", at::kFloat, {0});
  headers_.tensors.erase("a.scale_weight");
  EXPECT_EQ(refusal(), "FILE: tensor \"a.weight\" is quantised, but its scale \"a.scale_weight\" is missing");
}

TEST_F(QuantisedFormats, ScalesAloneMarkToo) {
  add("a.weight", kE4m3, {32, 16});
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{}, {1}, {32}, {32, 1}, {1, 1}}) {
    add("a.weight_scale", at::kFloat, shape);
    EXPECT_EQ(find().at("a.weight").format, QuantisedFormat::kScaledFp8);
    EXPECT_EQ(find().at("a.weight").scale, "a.weight_scale");
  }
  const std::string needs = "; \"a.weight\" needs F32 of one element, or of shape [32]";
  for (const auto& [shape, text] : std::map<std::vector<std::int64_t>, std::string>{
           {{16}, "[16]"}, {{1, 32}, "[1, 32]"}, {{2, 1}, "[2, 1]"}, {{0}, "[0]"}}) {
    add("a.weight_scale", at::kFloat, shape);
    EXPECT_EQ(refusal(), "FILE: the scale \"a.weight_scale\" has shape " + text + needs);
  }
  add("a.weight_scale", at::kBFloat16, {32});
  EXPECT_EQ(refusal(), "FILE: the scale \"a.weight_scale\" has shape [32] and is not F32" + needs);
}

// Without its scale such a weight gives white pictures.
TEST_F(QuantisedFormats, WhereOthersHaveScalesNoneMayLackOne) {
  add("a.weight", kE4m3, {32, 16});
  add("a.weight_scale", at::kFloat, {});
  add("b.weight", kE4m3, {32, 16});
  EXPECT_EQ(refusal(),
            "FILE: tensor \"b.weight\" is F8_E4M3 and has no scale, while 1 other has one, such as "
            "\"a.weight_scale\"");
  headers_.tensors.erase("b.weight");
  add("a.bias", kE4m3, {32});
  EXPECT_EQ(refusal(),
            "FILE: tensor \"a.bias\" is F8_E4M3 and has no scale, while 1 other has one, such as "
            "\"a.weight_scale\"");
}

TEST_F(QuantisedFormats, ScalesHaveToBelongToWeights) {
  add("a.weight_scale", at::kFloat, {});
  EXPECT_EQ(refusal(), "FILE: the scale \"a.weight_scale\" belongs to \"a.weight\", which is missing");
  add("a.weight", at::kBFloat16, {32, 16});
  EXPECT_EQ(refusal(),
            "FILE: the scale \"a.weight_scale\" belongs to \"a.weight\", which is not quantised so");
  // Two scales: which one counts cannot be known.
  add("a.weight", kE4m3, {32, 16});
  add("a.scale_weight", at::kFloat, {});
  EXPECT_EQ(refusal(),
            "FILE: the scale \"a.weight_scale\" belongs to \"a.weight\", which is not quantised so");
}

TEST_F(QuantisedFormats, WithoutScalesWeightsAreWhatTheySay) {
  add("a.weight", kE4m3, {32, 16});
  add("a.bias", kE4m3, {32});
  add("convolution.weight", kE4m3, {32, 16, 1, 1});
  const auto found = find();
  EXPECT_THAT(found, ::testing::UnorderedElementsAre(::testing::Key("a.weight"), ::testing::Key("a.bias")));
  EXPECT_EQ(found.at("a.weight").format, QuantisedFormat::kPlainFp8);
  EXPECT_EQ(found.at("a.weight").scale, "");
}

TEST_F(QuantisedFormats, OtherWeightsOf8BitsAreRefused) {
  add("a.weight", at::kFloat8_e5m2, {32, 16});
  EXPECT_EQ(refusal(),
            "FILE: tensor \"a.weight\" is F8_E5M2; layerpipe reads weights of 8 bits in F8_E4M3 and, "
            "from ComfyUI, in I8");
}

TEST_F(QuantisedFormats, MarksAndMetadataHaveToBeJson) {
  const std::string what = " is not JSON: parse error at line 1";
  add_comfy();
  mark("a", R"({"format": )");
  EXPECT_THAT(refusal(), ::testing::StartsWith("FILE: tensor \"a.comfy_quant\"" + what));
  add_comfy();
  headers_.metadata = {{"FILE", "{"}};
  EXPECT_THAT(refusal(), ::testing::StartsWith("FILE: \"_quantization_metadata\" of its header" + what));
}

TEST_F(QuantisedFormats, OnlyMatricesAreQuantised) {
  add_comfy();
  add("a.weight", kE4m3, {32, 16, 3});
  EXPECT_EQ(refusal(), "FILE: tensor \"a.weight\" is quantised, but no matrix: its shape is [32, 16, 3]");
  add("a.weight", at::kChar, {256});
  mark("a", R"({"format": "int8_tensorwise", "convrot": true, "convrot_groupsize": 16})");
  EXPECT_THAT(refusal(),
              ::testing::HasSubstr("says that \"a.weight\" is rotated in groups of 16; layerpipe reads"));
}

TEST_F(QuantisedFormats, AMarkOfInt8IsForInt8) {
  add_comfy();
  mark("a", R"({"format": "int8_tensorwise"})");
  EXPECT_EQ(refusal(),
            "FILE: tensor \"a.weight\" has another dtype than int8_tensorwise, which tensor "
            "\"a.comfy_quant\" says");
}

TEST_F(QuantisedFormats, MetadataHasToHoldLayers) {
  for (const char* layers : {"[]", "\"a\"", "null", "3"}) {
    headers_.metadata = {{"FILE", std::string(R"({"layers": )") + layers + "}"}};
    EXPECT_EQ(refusal(), "FILE: \"_quantization_metadata\" of its header has no \"layers\"") << layers;
  }
  headers_.metadata = {{"FILE", R"({"format_version": "1.0"})"}};
  EXPECT_EQ(refusal(), "FILE: \"_quantization_metadata\" of its header has no \"layers\"");
  headers_.metadata = {{"FILE", R"({"layers": {"a": {"format": "float8_e4m3fn"}}})"}};
  EXPECT_EQ(refusal(),
            "FILE: \"a\" in \"_quantization_metadata\" of its header marks \"a.weight\", which is missing");
}

}  // namespace
}  // namespace layerpipe::model
