#include "model/weights/weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include <limits>

#include "common/errors.h"
#include "model/transformer/modulation_table.h"
#include "model/transformer/transformer.h"
#include "model/vae/vae.h"
#include "model/weights/safetensors.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

using layerpipe::testing::refusal;

// A folder with one safetensors file of one component.
class WeightStoreTest : public ::testing::Test {
 protected:
  std::shared_ptr<const TensorSource> source(const std::map<std::string, at::Tensor>& tensors) const {
    write_safetensors(file_, tensors);
    return std::make_shared<SafetensorsSource>(folder_.path(), "model");
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::string file_ = folder_.path() / "model.safetensors";
};

TEST_F(WeightStoreTest, TellsWhatTensorsTakeInTheComputeDtype) {
  const auto tensors = source({{"part.0.a", at::ones({3, 5})}});
  std::vector<std::uint64_t> told;
  const auto listener = [&](std::uint64_t bytes) { told.push_back(bytes); };
  WeightStore(tensors, at::kCPU, at::kFloat, listener).scope("part", 0).get("a", {3, 5});
  WeightStore(tensors, at::kCPU, at::kBFloat16, listener).scope("part", 0).get("a", {3, 5});
  EXPECT_THAT(told, ::testing::ElementsAre(60, 30));
}

TEST_F(WeightStoreTest, ADryRunTellsTheSameAndReadsNothing) {
  const auto tensors = source({{"a", at::ones({3, 5})}});
  std::vector<std::uint64_t> told;
  const auto listener = [&](std::uint64_t bytes) { told.push_back(bytes); };
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor a = WeightStore::dry_run(tensors, at::kCPU, dtype, listener).get("a", {3, 5});
    EXPECT_TRUE(a.is_meta());
    EXPECT_EQ(a.scalar_type(), dtype);
    EXPECT_EQ(a.sizes(), at::IntArrayRef({3, 5}));
  }
  // No GPU is needed to say so.
  WeightStore::dry_run(tensors, at::Device(at::kCUDA, 0), at::kFloat, listener).get("a", {3, 5});
  EXPECT_THAT(told, ::testing::ElementsAre(60, 30, 60));
  const WeightStore store = WeightStore::dry_run(tensors, at::kCPU, at::kFloat);
  EXPECT_EQ(refusal(file_,
                    [&] {
                      store.get("a", {5, 3});
                    }),
            "FILE: tensor \"a\" has shape [3, 5]; the config needs [5, 3]");
  EXPECT_EQ(refusal(folder_.path(), [&] { store.get("b", {5, 3}); }), "FILE: tensor \"b\" is missing");
  EXPECT_EQ(refusal(folder_.path(), [&] { store.require("b", {5, 3}); }), "FILE: tensor \"b\" is missing");
}

TEST_F(WeightStoreTest, NetworksAreBuiltFromADryRunAsFromWeights) {
  TransformerConfig config;  // the published model's, of 60 blocks
  config.use_additional_t_cond = true;
  config.use_layer3d_rope = true;
  std::uint64_t bytes = 0;
  const auto listener = [&](std::uint64_t tensor) { bytes += tensor; };
  const auto dry = [&](const char* component) {
    return WeightStore::dry_run(std::make_shared<RandomTensorSource>(component, at::kBFloat16), at::kCPU,
                                at::kBFloat16, listener);
  };
  const Transformer transformer(dry("transformer"), config);
  EXPECT_NEAR(static_cast<double>(bytes) / (1 << 30), 25.16, 0.01);  // stay on the device
  check_modulation_weights(dry("transformer"), config, {0, config.num_layers});
  EXPECT_NEAR(static_cast<double>(bytes) / (1 << 30), 37.88, 0.01);  // as measured on a GPU
  bytes = 0;
  VaeConfig vae;
  vae.input_channels = 4;
  const VaeEncoder encoder(dry("vae"), vae);
  const VaeDecoder decoder(dry("vae"), vae);
  EXPECT_NEAR(static_cast<double>(bytes) / (1 << 30), 0.24, 0.01);
}

// Looking at every value of a model of the published size takes seconds.
TEST_F(WeightStoreTest, LooksOnlyAtValuesOfFiles) {
  class NotFinite : public RandomTensorSource {
   public:
    NotFinite() : RandomTensorSource("vae", at::kFloat) {}
    void read_bytes(const std::string&, at::IntArrayRef, std::int64_t,
                    std::span<std::byte> to) const override {
      std::fill_n(reinterpret_cast<float*>(to.data()), to.size() / sizeof(float),
                  std::numeric_limits<float>::infinity());
    }
  };
  const WeightStore store(std::make_shared<NotFinite>(), at::kCPU, at::kFloat);
  EXPECT_EQ(refusal("no file", [&] { store.get("a", {4}); }), "accepted");
  const std::vector<std::int64_t> rows{1};
  EXPECT_EQ(refusal("no file", [&] { store.get_rows("a", {2, 4}, rows); }), "accepted");
}

// By parts of what one thread reads at a time, as at once.
TEST_F(WeightStoreTest, ConvertsAsLibTorchDoes) {
  const std::int64_t count = 3 * (1 << 18) + 5;
  const at::Tensor values = at::arange(count, at::kDouble).sub(1000).div(3);
  for (const at::ScalarType storage : {at::kBFloat16, at::kHalf, at::kFloat, at::kDouble}) {
    const at::Tensor stored = values.clamp(-60000, 60000).to(storage);
    const auto tensors = source({{"a", stored}});
    for (const at::ScalarType compute : {at::kBFloat16, at::kFloat}) {
      EXPECT_TRUE(at::equal(WeightStore(tensors, at::kCPU, compute).get("a", {count}), stored.to(compute)))
          << storage << " to " << compute;
    }
  }
}

TEST_F(WeightStoreTest, ReadsSingleRowsOfATable) {
  at::Tensor table = at::arange(28, at::kBFloat16).view({7, 4}).clone();
  table[5][1] = std::numeric_limits<float>::infinity();
  const WeightStore store(source({{"part.a", table}}), at::kCPU, at::kFloat);
  const WeightStore part = store.scope("part");
  const std::vector<std::int64_t> numbers{6, 0, 3, 3};
  const at::Tensor rows = part.get_rows("a", {7, 4}, numbers);
  EXPECT_EQ(rows.scalar_type(), at::kFloat);
  EXPECT_EQ(rows.sizes(), at::IntArrayRef({4, 4}));
  for (std::int64_t i = 0; i < 4; ++i)
    EXPECT_TRUE(at::equal(rows[i], table[numbers[static_cast<std::size_t>(i)]].to(at::kFloat))) << i;
  EXPECT_EQ(part.get_rows("a", {7, 4}, {}).sizes(), at::IntArrayRef({0, 4}));
  const std::vector<std::int64_t> damaged{1, 5};
  EXPECT_EQ(refusal(file_,
                    [&] {
                      part.get_rows("a", {7, 4}, damaged);
                    }),
            "FILE: tensor \"part.a\" holds values that are not finite numbers");
  EXPECT_EQ(refusal(file_,
                    [&] {
                      part.get_rows("a", {4, 7}, numbers);
                    }),
            "FILE: tensor \"part.a\" has shape [7, 4]; the config needs [4, 7]");
}

TEST_F(WeightStoreTest, RefusesValuesThatAreNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    for (const float value : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
      at::Tensor tensor = at::ones({3000}, dtype);
      tensor[2999] = value;
      const WeightStore store(source({{"part.a", tensor}}), at::kCPU, dtype);
      EXPECT_EQ(refusal(file_, [&] { store.scope("part").get("a", {3000}); }),
                "FILE: tensor \"part.a\" holds values that are not finite numbers");
    }
    // A sum beyond the largest number is no reason to refuse.
    const WeightStore store(source({{"a", at::full({4}, 3e38F, dtype)}}), at::kCPU, dtype);
    EXPECT_EQ(refusal(file_, [&] { store.get("a", {4}); }), "accepted");
  }
}

}  // namespace
}  // namespace layerpipe::model
