#include "model/weights/weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include <limits>

#include "common/errors.h"
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

TEST_F(WeightStoreTest, ViewsTakeNoMemoryAndConversionsDo) {
  const auto tensors = source({{"part.0.a", at::ones({3, 5})}});
  std::vector<std::uint64_t> told;
  const auto listener = [&](std::uint64_t bytes) { told.push_back(bytes); };
  WeightStore(tensors, at::kCPU, at::kFloat, listener).scope("part", 0).get("a", {3, 5});
  WeightStore(tensors, at::kCPU, at::kBFloat16, listener).scope("part", 0).get("a", {3, 5});
  EXPECT_THAT(told, ::testing::ElementsAre(0, 30));
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
  // On a GPU everything is a copy; no GPU is needed to say so.
  WeightStore::dry_run(tensors, at::Device(at::kCUDA, 0), at::kFloat, listener).get("a", {3, 5});
  EXPECT_THAT(told, ::testing::ElementsAre(0, 30, 60));
  const WeightStore store = WeightStore::dry_run(tensors, at::kCPU, at::kFloat);
  EXPECT_EQ(refusal(file_,
                    [&] {
                      store.get("a", {5, 3});
                    }),
            "FILE: tensor \"a\" has shape [3, 5]; the config needs [5, 3]");
  EXPECT_EQ(refusal(folder_.path(), [&] { store.get("b", {5, 3}); }), "FILE: tensor \"b\" is missing");
  EXPECT_EQ(refusal(folder_.path(),
                    [&] {
                      store.get_on_host("b", {5, 3});
                    }),
            "FILE: tensor \"b\" is missing");
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
    at::Tensor read(const std::string&, at::IntArrayRef shape) const override {
      return at::full(shape, std::numeric_limits<float>::infinity());
    }
  };
  const WeightStore store(std::make_shared<NotFinite>(), at::kCPU, at::kFloat);
  EXPECT_EQ(refusal("no file", [&] { store.get("a", {4}); }), "accepted");
  EXPECT_EQ(refusal("no file", [&] { store.get_on_host("a", {4}); }), "accepted");
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
