// A component's folder: one file, or shards with an index.
#include "common/files.h"
#include "model/weights/safetensors.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

class SafetensorsSourceTest : public ::testing::Test {
 protected:
  // The tensor "a" in the first shard, "b" in the second one.
  void write_shards() const {
    write_safetensors(path("m-1.safetensors"), {{"a", at::arange(6, at::kFloat).view({2, 3})}});
    write_safetensors(path("m-2.safetensors"), {{"b", at::arange(4, at::kBFloat16)}});
    write_index(R"({"a": "m-1.safetensors", "b": "m-2.safetensors"})");
  }
  void write_index(const std::string& weight_map) const {
    common::write_file_atomically(path("m.safetensors.index.json"),
                                  R"({"metadata": {"total_size": 32}, "weight_map": )" + weight_map + "}");
  }
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  SafetensorsSource open() const { return {folder_.path(), "m"}; }
  template <typename Call>
  std::string refusal(Call&& call) const {
    return layerpipe::testing::refusal(folder_.path().string(), call);
  }

  layerpipe::testing::TemporaryFolder folder_;
};

TEST_F(SafetensorsSourceTest, ReadsOneFile) {
  write_safetensors(path("m.safetensors"), {{"a", at::arange(4, at::kFloat)}});
  const SafetensorsSource source = open();
  EXPECT_TRUE(source.contains("a"));
  EXPECT_FALSE(source.contains("b"));
  EXPECT_EQ(source.file_count(), 1U);
  EXPECT_EQ(source.where("a"), path("m.safetensors"));
  EXPECT_TRUE(at::equal(source.read("a", {4}), at::arange(4, at::kFloat)));
}

TEST_F(SafetensorsSourceTest, ReadsShards) {
  write_shards();
  const SafetensorsSource source = open();
  EXPECT_EQ(source.file_count(), 2U);
  EXPECT_TRUE(at::equal(source.read("a", {2, 3}), at::arange(6, at::kFloat).view({2, 3})));
  EXPECT_TRUE(at::equal(source.read("b", {4}), at::arange(4, at::kBFloat16)));
  const auto tensors = source.tensors();
  EXPECT_EQ(tensors.at("a").bytes(), 24U);
  EXPECT_EQ(tensors.at("b").shape, std::vector<std::int64_t>{4});
}

TEST_F(SafetensorsSourceTest, RefusesAnIndexThatLeavesOutScales) {
  const at::Tensor codes = at::zeros({2, 3}, at::kFloat).to(at::kFloat8_e4m3fn);
  write_safetensors(path("m-1.safetensors"),
                    {{"a.weight", codes}, {"a.weight_scale", at::ones({2}, at::kFloat)}});
  write_index(R"({"a.weight": "m-1.safetensors", "a.weight_scale": "m-1.safetensors"})");
  EXPECT_EQ(open().quantised().size(), 1U);
  write_index(R"({"a.weight": "m-1.safetensors"})");
  EXPECT_EQ(refusal([&] { open().quantised(); }),
            "FILE/m-1.safetensors: tensor \"a.weight_scale\" is not in the index, m.safetensors.index.json");
}

// Larger than what one thread reads at a time, and not of whole such parts.
TEST_F(SafetensorsSourceTest, ReadsLargeTensorsInParts) {
  const at::Tensor large = at::arange(3 * (1 << 18) + 5, at::kFloat);
  write_safetensors(path("m.safetensors"), {{"a", large}});
  EXPECT_TRUE(at::equal(open().read("a", large.sizes()), large));
}

// Names of the network outside, those of the file in what is said of it.
TEST_F(SafetensorsSourceTest, LeavesAPrefixOut) {
  write_safetensors(path("m.safetensors"), {{"module._orig_mod.a", at::arange(4, at::kFloat)},
                                            {"module._orig_mod.b", at::ones({2})}});
  const SafetensorsSource source = open();
  EXPECT_EQ(source.prefix(), "module._orig_mod.");
  EXPECT_TRUE(source.contains("a"));
  EXPECT_FALSE(source.contains("module._orig_mod.a"));
  EXPECT_TRUE(at::equal(source.read("a", {4}), at::arange(4, at::kFloat)));
  EXPECT_TRUE(source.tensors().contains("b"));
  EXPECT_EQ(refusal([&] { source.read("b", {3}); }),
            "FILE/m.safetensors: tensor \"module._orig_mod.b\" has shape [2]; the config needs [3]");
}

TEST_F(SafetensorsSourceTest, SaysOfAPrefixThatSomeHave) {
  write_safetensors(path("m.safetensors"),
                    {{"model.diffusion_model.a", at::ones({2})}, {"vae.b", at::ones({2})}});
  EXPECT_EQ(
      refusal([&] { open().read("a", {2}); }),
      "FILE: tensor \"a\" is missing; 1 of 2 tensors lie below \"model.diffusion_model.\", the others do "
      "not");
}

TEST_F(SafetensorsSourceTest, ReadsShardsWithoutAnIndex) {
  write_safetensors(path("m-00001-of-00002.safetensors"), {{"a", at::ones({2})}});
  write_safetensors(path("m-00002-of-00002.safetensors"), {{"b", at::ones({3})}});
  EXPECT_TRUE(at::equal(open().read("b", {3}), at::ones({3})));
  EXPECT_EQ(open().file_count(), 2U);
  write_safetensors(path("m-00002-of-00002.safetensors"), {{"a", at::ones({3})}});
  EXPECT_EQ(refusal([&] { open(); }),
            "FILE/m-00002-of-00002.safetensors: tensor \"a\" is in another file of the folder as well");
}

TEST_F(SafetensorsSourceTest, ReadsTheOnlyFileUnderItsOwnName) {
  write_safetensors(path("layered.safetensors"), {{"a", at::ones({2})}});
  EXPECT_TRUE(open().chosen().has_own_name);
  EXPECT_TRUE(at::equal(open().read("a", {2}), at::ones({2})));
  EXPECT_EQ(refusal([&] { open().read("c", {2}); }), "FILE/layered.safetensors: tensor \"c\" is missing");
}

TEST_F(SafetensorsSourceTest, RemarksOnWhatIsNotUsed) {
  write_safetensors(path("m.safetensors"), {{"a", at::ones({2})}});
  EXPECT_TRUE(open().remarks().empty());
  write_safetensors(
      path("m.safetensors"),
      {{"a", at::ones({2})}, {"b.lora_A.weight", at::ones({2})}, {"b.lora_B.weight", at::ones({2})}});
  ASSERT_EQ(open().remarks().size(), 1U);
  EXPECT_EQ(
      open().remarks().front(),
      folder_.path().string() +
          ": 2 tensors of an adapter (LoRA) are not used: \"b.lora_A.weight\" and \"b.lora_B.weight\"; to "
          "have it in the pictures, fuse it with diffusers (fuse_lora) before you save");
  EXPECT_TRUE(SafetensorsSource(folder_.path(), "m", kPlainVariant).remarks().size() == 1);
  EXPECT_THAT(SafetensorsSource(folder_.path(), "m", "fp16").remarks().front(),
              ::testing::HasSubstr(" has no weights of the variant fp16: its plain ones are used"));
}

TEST_F(SafetensorsSourceTest, OpensOnlyTheFilesThatAreNeeded) {
  write_shards();
  common::write_file_atomically(path("m-2.safetensors"), std::string_view("damaged"));
  const SafetensorsSource source = open();
  EXPECT_TRUE(source.contains("b"));
  EXPECT_NO_THROW(source.read("a", {2, 3}));
  const std::string expected = "FILE/m-2.safetensors: is too short to be a safetensors file";
  EXPECT_EQ(refusal([&] { source.read("b", {4}); }), expected);
  EXPECT_EQ(refusal([&] { source.read("b", {4}); }), expected) << "the second time";
  EXPECT_NO_THROW(source.read("a", {2, 3}));
}

TEST_F(SafetensorsSourceTest, NamesAMissingShard) {
  write_shards();
  std::filesystem::remove(path("m-2.safetensors"));
  EXPECT_EQ(refusal([&] { open(); }),
            "FILE/m-2.safetensors is missing; m.safetensors.index.json says that it holds \"b\"");
}

TEST_F(SafetensorsSourceTest, NamesATensorThatTheShardLacks) {
  write_shards();
  write_index(R"({"a": "m-1.safetensors", "b": "m-1.safetensors"})");
  const SafetensorsSource source = open();
  EXPECT_EQ(refusal([&] { source.read("b", {4}); }),
            "FILE/m-1.safetensors: the index puts tensor \"b\" here, but it is not");
}

TEST_F(SafetensorsSourceTest, NamesAMissingTensorAndAnotherShape) {
  write_shards();
  const SafetensorsSource source = open();
  EXPECT_EQ(refusal([&] { source.read("c", {4}); }), "FILE: tensor \"c\" is missing");
  EXPECT_EQ(refusal([&] {
              source.read("a", {3, 2});
            }),
            "FILE/m-1.safetensors: tensor \"a\" has shape [2, 3]; the config needs [3, 2]");
  EXPECT_EQ(refusal([&] { source.read("a", {}); }),
            "FILE/m-1.safetensors: tensor \"a\" has shape [2, 3]; the config needs []");
}

TEST_F(SafetensorsSourceTest, RefusesWhatIsNoWeight) {
  for (const auto& [dtype, name] : std::map<at::ScalarType, std::string>{{at::kByte, "U8"},
                                                                         {at::kChar, "I8"},
                                                                         {at::kShort, "I16"},
                                                                         {at::kInt, "I32"},
                                                                         {at::kLong, "I64"},
                                                                         {at::kBool, "BOOL"},
                                                                         {at::kFloat8_e4m3fn, "F8_E4M3"},
                                                                         {at::kFloat8_e5m2, "F8_E5M2"}}) {
    write_safetensors(path("m.safetensors"), {{"a", at::ones({4}).to(dtype)}});
    EXPECT_EQ(refusal([&] { open().read("a", {4}); }),
              "FILE/m.safetensors: tensor \"a\" has dtype " + name + ", which is not one of weights");
  }
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf, at::kFloat, at::kDouble}) {
    write_safetensors(path("m.safetensors"), {{"a", at::ones({4}).to(dtype)}});
    EXPECT_EQ(open().read("a", {4}).scalar_type(), dtype);
  }
}

TEST_F(SafetensorsSourceTest, RefusesAFolderWithoutWeights) {
  EXPECT_EQ(refusal([&] { open(); }), "FILE has neither m.safetensors nor m.safetensors.index.json");
}

TEST_F(SafetensorsSourceTest, RefusesADamagedIndex) {
  write_index("[]");
  EXPECT_EQ(refusal([&] { open(); }),
            "FILE/m.safetensors.index.json: field \"weight_map\" has the wrong type: []");
  write_index(R"({"a": 1})");
  EXPECT_EQ(refusal([&] { open(); }),
            "FILE/m.safetensors.index.json: field \"weight_map\" has the wrong type: {\"a\":1}");
  common::write_file_atomically(path("m.safetensors.index.json"), std::string_view("{}"));
  EXPECT_EQ(refusal([&] { open(); }), "FILE/m.safetensors.index.json: field \"weight_map\" is missing");
}

}  // namespace
}  // namespace layerpipe::model
