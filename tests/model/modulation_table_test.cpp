// The modulation table: its rows have the bits that every forward computed before there was one, and its
// weights pass no more often than they must.
#include "model/transformer/modulation_table.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>

#include <limits>
#include <map>

#include "common/errors.h"
#include "model/transformer/timestep_embedder.h"
#include "model/weights/safetensors.h"
#include "tests/support/parity_case.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

using layerpipe::testing::is_equal;
using layerpipe::testing::refusal;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr TransformerConfig kConfig{.in_channels = 8,
                                    .out_channels = 2,
                                    .num_layers = 3,
                                    .attention_head_dim = 12,
                                    .num_attention_heads = 2,
                                    .joint_attention_dim = 16,
                                    .axes_dims_rope = {4, 2, 6},
                                    .use_additional_t_cond = true};
constexpr std::int64_t kDim = 24;
constexpr common::Range kAllBlocks{0, 3};
// Two layers a block and the head's; the embedder's two, and what is added behind it.
constexpr std::size_t kLinears = 2 * 3 + 1 + 2;
constexpr std::size_t kTensors = 2 * kLinears + 1;

// Random weights that count how often each tensor is read.
class CountingSource : public RandomTensorSource {
 public:
  explicit CountingSource(const std::string& component = "transformer")
      : RandomTensorSource(component, at::kBFloat16) {}
  void read_bytes(const std::string& name, at::IntArrayRef shape, std::int64_t begin,
                  std::span<std::byte> to) const override {
    if (begin == 0) ++reads_[name];
    RandomTensorSource::read_bytes(name, shape, begin, to);
  }
  // Since it was last asked.
  std::map<std::string, int> take_reads() { return std::exchange(reads_, {}); }

 private:
  mutable std::map<std::string, int> reads_;
};

// Of a row, as a block's forward and the head's had them: from the weights, alone.
std::vector<at::Tensor> computed_in_a_forward(const WeightStore& store, const std::string& layer,
                                              std::int64_t parts, float timestep) {
  const at::Tensor conditioning = TimestepEmbedder(store, kConfig).forward(timestep);
  const ops::Linear linear = load_linear(store, layer, kDim, parts * kDim);
  return linear.apply_to_vector(conditioning).view({parts, -1}).unbind(0);
}

void expect_stream(const StreamModulation& stream, const std::vector<at::Tensor>& expected) {
  const at::Tensor* const parts[] = {&stream.attention.shift, &stream.attention.scale, &stream.attention.gate,
                                     &stream.mlp.shift,       &stream.mlp.scale,       &stream.mlp.gate};
  for (std::size_t i = 0; i < std::size(parts); ++i) EXPECT_TRUE(is_equal(*parts[i], expected[i])) << i;
}

void expect_row(const ModulationRow& row, const WeightStore& store, const common::Range& blocks,
                float timestep) {
  for (std::int64_t index = blocks.begin; index < blocks.end; ++index) {
    const std::string block = "transformer_blocks." + std::to_string(index);
    const BlockModulation modulation = row.block(index);
    expect_stream(modulation.image, computed_in_a_forward(store, block + ".img_mod.1", 6, timestep));
    expect_stream(modulation.text, computed_in_a_forward(store, block + ".txt_mod.1", 6, timestep));
  }
  if (blocks.end < kConfig.num_layers) return;
  const std::vector<at::Tensor> head = computed_in_a_forward(store, "norm_out.linear", 2, timestep);
  EXPECT_TRUE(is_equal(row.head().scale, head[0]));
  EXPECT_TRUE(is_equal(row.head().shift, head[1]));
}

class ModulationRows : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  std::shared_ptr<CountingSource> source_ = std::make_shared<CountingSource>();
  WeightStore store_{source_, at::kCPU, GetParam()};
  ModulationTable table(std::int64_t rows, const common::Range& blocks = kAllBlocks) const {
    return {kConfig, blocks, rows, at::kCPU, GetParam()};
  }
  static bool make(ModulationTable& table, const WeightStore& store, const std::vector<float>& timesteps,
                   const std::vector<float>& later = {}) {
    return table.make(store, timesteps, later);
  }
  // Whether the weights had to pass for these timesteps.
  bool passes(ModulationTable& table, const std::vector<float>& timesteps,
              const std::vector<float>& later = {}) {
    const bool made = make(table, store_, timesteps, later);
    const std::map<std::string, int> reads = source_->take_reads();
    EXPECT_EQ(made, !reads.empty());
    return made;
  }
};

TEST_P(ModulationRows, HaveTheBitsOfAForward) {
  const std::vector<float> timesteps{1000, 997.95F, 996.4F, 512.5F, 20, 0};
  for (const common::Range& blocks : {kAllBlocks, common::Range{0, 2}, common::Range{1, 3}}) {
    ModulationTable table = this->table(6, blocks);
    ASSERT_TRUE(make(table, store_, timesteps));
    for (const float timestep : timesteps) expect_row(table.row(timestep), store_, blocks, timestep);
  }
}

TEST_P(ModulationRows, AreMadeWhileEveryWeightPassesOnce) {
  ModulationTable table = this->table(5);
  ASSERT_TRUE(make(table, store_, {900, 700, 500}, {300}));
  const std::map<std::string, int> reads = source_->take_reads();
  EXPECT_THAT(reads, SizeIs(kTensors));
  EXPECT_THAT(reads, Each(Pair(::testing::_, 1)));
  for (const float timestep : {900.0F, 700.0F, 500.0F, 300.0F})
    expect_row(table.row(timestep), store_, kAllBlocks, timestep);
  // The same weights by another store, for rows that are there.
  const WeightStore again(source_, at::kCPU, GetParam());
  source_->take_reads();
  EXPECT_FALSE(make(table, again, {300, 900}));
  EXPECT_THAT(source_->take_reads(), IsEmpty());
}

TEST_P(ModulationRows, OfLaterTimestepsAreMadeAsThereIsRoomButDoNotAskForAPass) {
  ModulationTable table = this->table(3);
  EXPECT_TRUE(passes(table, {900}, {700, 900, 500, 300}));
  EXPECT_FALSE(passes(table, {700}, {300}));
  EXPECT_FALSE(passes(table, {500}, {300}));
  EXPECT_TRUE(passes(table, {300}));
}

TEST_P(ModulationRows, MakeRoomByTheOnesThatWereAskedForLeastRecently) {
  ModulationTable table = this->table(3);
  EXPECT_TRUE(passes(table, {900}));
  EXPECT_TRUE(passes(table, {700}));
  EXPECT_TRUE(passes(table, {500}));
  EXPECT_FALSE(passes(table, {900}));
  EXPECT_TRUE(passes(table, {300}));  // in the place of 700
  EXPECT_FALSE(passes(table, {900, 500, 300}));
  EXPECT_TRUE(passes(table, {700, 300}, {500}));  // in the place of 900, since 500 is wanted
  EXPECT_FALSE(passes(table, {500, 700}));
  EXPECT_TRUE(passes(table, {900}));
  expect_row(table.row(900), store_, kAllBlocks, 900);
}

TEST_P(ModulationRows, BelongToTheirWeights) {
  const WeightStore others(std::make_shared<CountingSource>("other weights"), at::kCPU, GetParam());
  ModulationTable table = this->table(2);
  ASSERT_TRUE(make(table, store_, {500}));
  ASSERT_TRUE(make(table, others, {500}));
  expect_row(table.row(500), others, kAllBlocks, 500);
  EXPECT_FALSE(make(table, store_, {500}));
  expect_row(table.row(500), store_, kAllBlocks, 500);
}

// A source that has gone leaves rows that no other source finds, though it may lie at the same address.
TEST_P(ModulationRows, DoNotOutliveTheirWeights) {
  ModulationTable table = this->table(1);
  for (const char* component : {"one", "two", "three"}) {
    const WeightStore store(std::make_shared<CountingSource>(component), at::kCPU, GetParam());
    EXPECT_TRUE(make(table, store, {500})) << component;
    expect_row(table.row(500), store, kAllBlocks, 500);
  }
}

TEST_P(ModulationRows, AreToldOfOneByOne) {
  ModulationTable table = this->table(4);
  int rows = 0;
  const std::vector<float> timesteps{900, 500};
  const std::vector<float> later{300, 100, 50};
  table.make(store_, timesteps, later, [&] { ++rows; });
  EXPECT_EQ(rows, 4 * 7);  // of seven layers
}

TEST_P(ModulationRows, AreThoseOfTheirBlocksAlone) {
  ModulationTable table = this->table(1, {0, 2});
  ASSERT_TRUE(make(table, store_, {500}));
  const auto fails = [](const std::string& message) {
    return ::testing::ThrowsMessage<common::InternalError>(message);
  };
  EXPECT_THAT([&] { table.row(500).block(2); }, fails("a row has no modulation of this block"));
  EXPECT_THAT([&] { table.row(500).head(); }, fails("a row has no modulation of the head"));
  EXPECT_THAT([&] { table.row(100); }, fails("a timestep is denoised whose modulation has not been made"));
  EXPECT_THAT(
      [&] {
        make(table, store_, {500, 100});
      },
      fails("a window has more different timesteps than the modulation table has room for"));
}

INSTANTIATE_TEST_SUITE_P(Dtypes, ModulationRows, ::testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return info.param == at::kFloat ? "fp32" : "bf16"; });

// As the network sees them, in bf16, 997.95 and 996 are the same.
TEST(ModulationTable, KeepsOneRowForTimestepsThatAreRoundedAlike) {
  EXPECT_EQ(rounded_timestep(997.95F, at::kBFloat16), 996);
  EXPECT_EQ(rounded_timestep(997.95F, at::kFloat), 997.95F);
  const std::vector<float> timesteps{997.95F, 996, 995};
  const WeightStore store(std::make_shared<CountingSource>(), at::kCPU, at::kBFloat16);
  ModulationTable table(kConfig, kAllBlocks, 1, at::kCPU, at::kBFloat16);
  ASSERT_EQ(rows_for(timesteps, at::kBFloat16), 1);
  EXPECT_EQ(rows_for(timesteps, at::kFloat), 3);
  EXPECT_TRUE(table.make(store, timesteps, {}));
  expect_row(table.row(995), store, kAllBlocks, 997.95F);
}

// Files that hold what rows are made with, and nothing else.
class ModulationFiles : public ::testing::Test {
 protected:
  ModulationFiles() {
    const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) {
      tensors_[name] = RandomTensorSource("transformer", at::kFloat).read(name, shape);
    };
    const auto add_linear = [&](const std::string& name, std::int64_t in, std::int64_t out) {
      add(name + ".weight", {out, in});
      add(name + ".bias", {out});
    };
    add_linear("time_text_embed.timestep_embedder.linear_1", 256, kDim);
    add_linear("time_text_embed.timestep_embedder.linear_2", kDim, kDim);
    add("time_text_embed.addition_t_embedding.weight", {2, kDim});
    for (const ModulationLayer& layer : modulation_layers(kConfig, kAllBlocks))
      add_linear(layer.name, kDim, layer.outputs);
  }
  std::shared_ptr<const TensorSource> source() const {
    write_safetensors(file_, tensors_);
    return std::make_shared<SafetensorsSource>(folder_.path(), "model");
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "model.safetensors";
  std::map<std::string, at::Tensor> tensors_;
};

TEST_F(ModulationFiles, AreAskedForAllThatRowsAreMadeWithBeforeTheWork) {
  std::uint64_t bytes = 0;
  const auto dry_run = [&] {
    return WeightStore::dry_run(source(), at::kCPU, at::kFloat, [&](std::uint64_t more) { bytes += more; });
  };
  check_modulation_weights(dry_run(), kConfig, {0, 2});
  const std::uint64_t embedder = 4 * (256 * kDim + kDim + kDim * kDim + kDim + 2 * kDim);
  const std::uint64_t stream = 4 * (6 * kDim * kDim + 6 * kDim);
  EXPECT_EQ(bytes, embedder + 2 * 2 * stream);
  for (const char* name : {"transformer_blocks.1.txt_mod.1.weight", "transformer_blocks.2.img_mod.1.bias",
                           "norm_out.linear.weight", "time_text_embed.timestep_embedder.linear_2.bias"}) {
    const at::Tensor there = tensors_.at(name);
    tensors_.erase(name);
    EXPECT_EQ(refusal(folder_.path(), [&] { check_modulation_weights(dry_run(), kConfig, kAllBlocks); }),
              "FILE: tensor \"" + std::string(name) + "\" is missing");
    tensors_[name] = there;
  }
}

TEST_F(ModulationFiles, AreNamedWhenTheyAreDamagedAndNoRowIsLeftHalfMade) {
  const std::string name = "transformer_blocks.1.txt_mod.1.weight";
  ModulationTable table(kConfig, kAllBlocks, 1, at::kCPU, at::kFloat);
  const std::vector<float> timesteps{500};
  const WeightStore whole(source(), at::kCPU, at::kFloat);
  ASSERT_TRUE(table.make(whole, timesteps, {}));
  const at::Tensor there = tensors_.at(name).clone();
  tensors_.at(name)[3][5] = std::numeric_limits<float>::quiet_NaN();
  const WeightStore damaged(source(), at::kCPU, at::kFloat);
  EXPECT_EQ(refusal(file_, [&] { table.make(damaged, timesteps, {}); }),
            "FILE: tensor \"" + name + "\" holds values that are not finite numbers");
  EXPECT_THROW(table.row(500), common::InternalError);
  tensors_.at(name) = there;
  const WeightStore mended(source(), at::kCPU, at::kFloat);
  EXPECT_TRUE(table.make(mended, timesteps, {}));
  expect_row(table.row(500), mended, kAllBlocks, 500);
}

}  // namespace
}  // namespace layerpipe::model
