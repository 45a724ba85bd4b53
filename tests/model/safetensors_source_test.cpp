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

// Larger than what one thread reads at a time, and not of whole such parts.
TEST_F(SafetensorsSourceTest, ReadsLargeTensorsInParts) {
  const at::Tensor large = at::arange(3 * (1 << 18) + 5, at::kFloat);
  write_safetensors(path("m.safetensors"), {{"a", large}});
  EXPECT_TRUE(at::equal(open().read("a", large.sizes()), large));
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
