// What is computed with matrices in 8 bits, and how they come to be.
#include "model/ops/quantised_weight.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "model/ops/linear.h"
#include "model/transformer/fp8_layers.h"
#include "model/weights/component_writer.h"
#include "model/weights/fp8_source.h"
#include "model/weights/safetensors.h"
#include "model/weights/weights.h"
#include "tests/support/parity_case.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model::ops {
namespace {

using layerpipe::testing::is_equal;
using layerpipe::testing::relative_l2;

at::Tensor draw(at::IntArrayRef shape, std::uint64_t seed = 5) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::TensorOptions());
}

// Every code but NaN, with a scale of its own in each row.
QuantisedWeight draw_weight(std::int64_t out, std::int64_t in, at::ScalarType dtype) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  at::Tensor codes = at::randint(0, 256, {out, in}, generator, at::TensorOptions().dtype(at::kByte));
  if (dtype == at::kFloat8_e4m3fn) codes.masked_fill_(codes.bitwise_and(0x7F).eq(0x7F), 0);
  return {.values = codes.view(dtype),
          .scale = at::rand({out}, generator, at::TensorOptions()).add_(0.1).mul_(0.01)};
}

// In double, from LibTorch's own conversion.
at::Tensor exact(const QuantisedWeight& weight) {
  return weight.values.to(at::kFloat).to(at::kDouble) * weight.scale.to(at::kDouble).unsqueeze(1);
}

class QuantisedWeights : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(QuantisedWeights, BecomeWhatTheyStandFor) {
  const QuantisedWeight weight = draw_weight(37, 300, GetParam());
  EXPECT_TRUE(is_equal(dequantised(weight, {0, 37}, at::kFloat), exact(weight).to(at::kFloat)));
  EXPECT_TRUE(
      is_equal(dequantised(weight, {0, 37}, at::kBFloat16), exact(weight).to(at::kFloat).to(at::kBFloat16)));
  EXPECT_TRUE(is_equal(dequantised(weight, {9, 20}, at::kFloat),
                       dequantised(weight, {0, 37}, at::kFloat).narrow(0, 9, 11)));
}

// More outputs than a piece of the weight has (of 512 Ki values).
TEST_P(QuantisedWeights, LinearIsThatOfTheDequantisedWeight) {
  const std::int64_t in = 2048;
  const std::int64_t out = 600;
  const QuantisedWeight weight = draw_weight(out, in, GetParam());
  const at::Tensor bias = draw({out});
  const at::Tensor x = draw({130, in}, 9);
  for (const bool has_bias : {true, false}) {
    const at::Tensor b = has_bias ? bias : at::Tensor();
    const Linear layer(weight, b);
    const Linear usual(dequantised(weight, {0, out}, at::kFloat), b);
    EXPECT_EQ(layer.outputs(), out);
    EXPECT_LE(relative_l2(layer.apply(x), usual.apply(x)), 1e-6);
    EXPECT_LE(relative_l2(layer.apply_to_rows(x), usual.apply_to_rows(x)), 1e-6);
    const at::Tensor row = x.narrow(0, 3, 1);
    EXPECT_LE(relative_l2(layer.apply_to_vector(row), usual.apply_to_vector(row)), 1e-6);
  }
  EXPECT_LE(relative_l2(Linear(weight, bias).apply_gelu(x),
                        Linear(dequantised(weight, {0, out}, at::kFloat), bias).apply_gelu(x)),
            1e-6);
}

TEST_P(QuantisedWeights, InBf16TheWeightIsRoundedOnce) {
  const QuantisedWeight weight = draw_weight(48, 64, GetParam());
  const at::Tensor x = draw({20, 64}).to(at::kBFloat16);
  const at::Tensor rounded = exact(weight).to(at::kFloat).to(at::kBFloat16);
  const at::Tensor truth = at::matmul(x.to(at::kDouble), rounded.to(at::kDouble).t());
  EXPECT_LE(relative_l2(Linear(weight).apply(x).to(at::kDouble), truth), 3e-3);  // of one rounding
}

INSTANTIATE_TEST_SUITE_P(Dtypes, QuantisedWeights, ::testing::Values(at::kFloat8_e4m3fn, at::kChar),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

TEST(ConvRot, MatrixIsThatOfComfyUi) {
  const at::Tensor four = convrot_matrix(4, at::TensorOptions()) * 2;
  EXPECT_TRUE(is_equal(
      four, at::tensor(std::vector<float>{1, 1, 1, -1, 1, 1, -1, 1, 1, -1, 1, 1, -1, 1, 1, 1}).view({4, 4})));
  for (const std::int64_t order : {4, 16, 64, 256}) {
    const at::Tensor matrix = convrot_matrix(order, at::TensorOptions());
    EXPECT_TRUE(is_equal(matrix, matrix.t().contiguous()));
    EXPECT_TRUE(is_equal(at::matmul(matrix, matrix), at::eye(order, at::TensorOptions())));
    // Regular: all rows have one sum. Sylvester's matrix would have one of it in the first row alone.
    EXPECT_TRUE(is_equal(matrix.sum(1), at::ones({order})));
  }
}

TEST(ConvRot, RowsAreTurnedAsTheWeightWas) {
  const at::Tensor matrix = draw({24, 64});
  const at::Tensor rotation = convrot_matrix(16, at::TensorOptions());
  const at::Tensor turned = at::matmul(matrix.view({24, 4, 16}), rotation).view({24, 64});
  const at::Tensor scale = turned.abs().amax(1).div(127);
  const QuantisedWeight weight{
      .values = turned.div(scale.unsqueeze(1)).round().to(at::kChar), .scale = scale, .rotation = rotation};
  const at::Tensor back = at::matmul(dequantised(weight, {0, 24}, at::kFloat).view({24, 4, 16}), rotation);
  const at::Tensor x = draw({10, 64}, 3);
  EXPECT_LE(relative_l2(Linear(weight).apply(x), at::matmul(x, back.view({24, 64}).t())), 1e-6);
  // It stands for the matrix that it was made from.
  EXPECT_LE(relative_l2(Linear(weight).apply(x), at::matmul(x, matrix.t())), 0.02);
}

TEST(QuantiseRow, ScaleIsTheLargestValueBy448) {
  const std::vector<float> row{0.5F, -7.0F, 3.3F, 0.0F};
  std::vector<std::uint8_t> codes(row.size());
  EXPECT_EQ(quantise_row(row.data(), 4, codes.data()), 7.0F / 448.0F);
  // −448 is the code of the largest value; the others are the nearest codes.
  EXPECT_THAT(codes, ::testing::ElementsAre(0x60, 0xFE, 0x75, 0x00));
}

TEST(QuantiseRow, NoRowGivesWhatIsNoNumber) {
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  constexpr float kHuge = std::numeric_limits<float>::max();
  for (const float value : {0.0F, kTiny, 1e-40F, 1e-30F, 1.0F, 464.0F, 465.0F, kHuge}) {
    const std::vector<float> row{value, -value, value / 3};
    std::vector<std::uint8_t> codes(row.size());
    const float scale = quantise_row(row.data(), 3, codes.data());
    EXPECT_TRUE(std::isfinite(scale) && scale > 0) << value;
    for (const std::uint8_t code : codes) EXPECT_NE(code & 0x7F, 0x7F) << value;
  }
}

TEST(Fp8Layers, AreTheInnerBlocksWithoutTheirMostSensitiveMatrices) {
  const auto layer = [](int block, const std::string& name) {
    return "transformer_blocks." + std::to_string(block) + "." + name + ".weight";
  };
  for (const char* name :
       {"attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.add_q_proj", "attn.add_k_proj",
        "attn.add_v_proj", "attn.to_add_out", "img_mlp.net.0.proj", "txt_mlp.net.0.proj", "txt_mlp.net.2"}) {
    EXPECT_TRUE(is_fp8_layer(layer(1, name), 60)) << name;
    EXPECT_TRUE(is_fp8_layer(layer(58, name), 60)) << name;
    EXPECT_FALSE(is_fp8_layer(layer(0, name), 60)) << name;
    EXPECT_FALSE(is_fp8_layer(layer(59, name), 60)) << name;
    EXPECT_TRUE(is_block_linear(layer(0, name))) << name;
  }
  EXPECT_FALSE(has_fp8_layers(2));
  EXPECT_TRUE(has_fp8_layers(3));
  for (const char* name : {"img_mlp.net.2", "img_mod.1", "txt_mod.1", "attn.norm_q"})
    EXPECT_FALSE(is_fp8_layer(layer(3, name), 60)) << name;
  for (const char* name : {"img_in.weight", "txt_in.weight", "norm_out.linear.weight", "proj_out.weight",
                           "time_text_embed.timestep_embedder.linear_1.weight",
                           "transformer_blocks.3.attn.to_q.bias", "transformer_blocks.x.attn.to_q.weight"}) {
    EXPECT_FALSE(is_fp8_layer(name, 60)) << name;
    EXPECT_FALSE(is_block_linear(name)) << name;
  }
  EXPECT_TRUE(is_block_linear(layer(3, "img_mlp.net.2")));
  EXPECT_FALSE(is_block_linear(layer(3, "img_mod.1")));
}

class Fp8SourceTest : public ::testing::Test {
 protected:
  std::shared_ptr<const TensorSource> source(const std::map<std::string, at::Tensor>& tensors) const {
    write_safetensors(file_, tensors);
    return std::make_shared<SafetensorsSource>(folder_.path(), "model");
  }
  static std::shared_ptr<const TensorSource> in_fp8(std::shared_ptr<const TensorSource> inner) {
    return std::make_shared<Fp8Source>(std::move(inner),
                                       [](const std::string& name) { return name.starts_with("a"); });
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::string file_ = folder_.path() / "model.safetensors";
};

// More rows than are read at a time, of each dtype that files have.
TEST_F(Fp8SourceTest, QuantisesWhatIsChosenRowByRow) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat, at::kHalf}) {
    const at::Tensor matrix = draw({700, 512}).to(dtype);
    const auto quantised = in_fp8(source({{"a.weight", matrix}, {"b.weight", matrix}}));
    EXPECT_FALSE(quantised->quantised_form("b.weight", matrix.sizes()).has_value());
    ASSERT_TRUE(quantised->quantised_form("a.weight", matrix.sizes()).has_value());
    const QuantisedValues read = quantised->read_quantised("a.weight", matrix.sizes());
    const at::Tensor wide = matrix.to(at::kFloat);
    const at::Tensor scale = wide.abs().amax(1).div(448);
    EXPECT_TRUE(is_equal(read.scale, scale));
    const at::Tensor codes = wide.div(scale.unsqueeze(1)).clamp(-448, 448).to(at::kFloat8_e4m3fn);
    EXPECT_TRUE(is_equal(read.values.view(at::kByte), codes.view(at::kByte)));
  }
}

TEST_F(Fp8SourceTest, StoreKeepsOneByteAValueAndAScaleARow) {
  const auto tensors = in_fp8(source({{"a.weight", draw({32, 16})}, {"a.bias", draw({32})}}));
  std::uint64_t bytes = 0;
  const auto listener = [&](std::uint64_t more) { bytes += more; };
  const WeightStore store(tensors, at::kCPU, at::kBFloat16, listener);
  const at::Tensor x = draw({4, 16}).to(at::kBFloat16);
  EXPECT_EQ(load_linear(store, "a", 16, 32).apply(x).scalar_type(), at::kBFloat16);
  EXPECT_EQ(bytes, 32U * 16 + 32 * 4 + 32 * 2);
  bytes = 0;
  load_linear(WeightStore::dry_run(tensors, at::kCPU, at::kBFloat16, listener), "a", 16, 32);
  EXPECT_EQ(bytes, 32U * 16 + 32 * 4 + 32 * 2);
}

TEST_F(Fp8SourceTest, RefusesWhatIsNotFinite) {
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    at::Tensor matrix = draw({32, 16});
    matrix[31][15] = value;
    const auto tensors = in_fp8(source({{"a.weight", matrix}}));
    EXPECT_EQ(layerpipe::testing::refusal(file_,
                                          [&] {
                                            tensors->read_quantised("a.weight", {32, 16});
                                          }),
              "FILE: tensor \"a.weight\" holds values that are not finite numbers");
  }
}

TEST_F(Fp8SourceTest, LeavesFilesAloneThatAreQuantised) {
  const at::Tensor codes = draw({32, 16}).to(at::kFloat8_e4m3fn);
  const auto tensors = in_fp8(
      source({{"a.weight", draw({32, 16})}, {"c.weight", codes}, {"c.weight_scale", at::full({}, 0.5)}}));
  EXPECT_FALSE(tensors->quantised_form("a.weight", {32, 16}).has_value());
  ASSERT_TRUE(tensors->quantised_form("c.weight", {32, 16}).has_value());
  EXPECT_TRUE(is_equal(tensors->read_quantised("c.weight", {32, 16}).scale, at::full({32}, 0.5)));
}

// Written as shards and read again: the same codes and scales, and everything else as it was.
TEST_F(Fp8SourceTest, AComponentWrittenInFp8IsReadAsItIsQuantised) {
  std::map<std::string, at::Tensor> tensors{{"b.weight", draw({32, 16})}, {"a.bias", draw({32})}};
  for (int i = 0; i < 5; ++i) tensors["a." + std::to_string(i) + ".weight"] = draw({32, 16}, i);
  write_safetensors(file_, tensors);
  const auto original = std::make_shared<const SafetensorsSource>(folder_.path(), "model");
  const auto is_chosen = [](const std::string& name) { return name.starts_with("a"); };
  const ComponentToWrite component = component_of(original, is_chosen);
  for (const std::uint64_t most_bytes : {kUsualShardBytes, std::uint64_t{1500}}) {
    const layerpipe::testing::TemporaryFolder written;
    const ComponentSize measured = measure_component(component);
    EXPECT_EQ(measured.quantised, 5U);
    std::uint64_t told = 0;
    write_component(
        component, written.path(), "m", [&](std::uint64_t bytes) { told = bytes; }, most_bytes);
    EXPECT_EQ(told, measured.bytes);
    EXPECT_EQ(measured.bytes, 5U * (32 * 16 + 32 * 4) + 4 * (32 * 16 + 32));
    const SafetensorsSource again(written.path(), "m");
    EXPECT_EQ(again.file_count() > 1, most_bytes < kUsualShardBytes);
    EXPECT_EQ(again.quantised().size(), 5U);
    EXPECT_TRUE(is_equal(again.read("b.weight", {32, 16}), tensors.at("b.weight")));
    EXPECT_TRUE(is_equal(again.read("a.bias", {32}), tensors.at("a.bias")));
    const Fp8Source quantised(original, is_chosen);
    for (int i = 0; i < 5; ++i) {
      const std::string name = "a." + std::to_string(i) + ".weight";
      const QuantisedValues ours = again.read_quantised(name, {32, 16});
      const QuantisedValues expected = quantised.read_quantised(name, {32, 16});
      EXPECT_TRUE(is_equal(ours.values.view(at::kByte), expected.values.view(at::kByte)));
      EXPECT_TRUE(is_equal(ours.scale, expected.scale));
    }
  }
}

// Values of quantised files: what is wrong in them is found while they are read.
TEST_F(Fp8SourceTest, StoredValuesAndScalesAreChecked) {
  const at::Tensor codes = draw({32, 16}).to(at::kFloat8_e4m3fn);
  const auto refusal_of = [&](const at::Tensor& values, const at::Tensor& scale) {
    const auto tensors = source({{"c.weight", values}, {"c.weight_scale", scale}});
    return layerpipe::testing::refusal(
        file_, [&] { load_linear(WeightStore(tensors, at::kCPU, at::kFloat), "c", 16, 32, Bias::kNo); });
  };
  EXPECT_EQ(refusal_of(codes, at::full({32}, 0.5)), "accepted");
  for (const int nan : {0x7F, 0xFF}) {
    const at::Tensor damaged = codes.clone();
    damaged.view(at::kByte)[31][15] = nan;
    EXPECT_EQ(refusal_of(damaged, at::full({32}, 0.5)),
              "FILE: tensor \"c.weight\" holds values that are not finite numbers");
  }
  const std::string begin = "FILE: the scale \"c.weight_scale\" holds ";
  EXPECT_EQ(refusal_of(codes, at::zeros({32})), begin + "0.000000; scales are above 0");
  EXPECT_EQ(refusal_of(codes, at::full({}, -1.0)), begin + "-1.000000; scales are above 0");
  EXPECT_EQ(refusal_of(codes, at::full({32}, HUGE_VAL)),
            begin + "a value that is not finite; scales are above 0");
  EXPECT_EQ(refusal_of(codes, at::full({32, 1}, std::nan(""))),
            begin + "a value that is not finite; scales are above 0");
}

// What is no layer is not kept in 8 bits: an embedding of two rows, and rows of a table.
TEST_F(Fp8SourceTest, TensorsAndRowsOfTablesBecomeWhatTheyStandFor) {
  const at::Tensor codes = draw({32, 16}).to(at::kFloat8_e4m3fn);
  const at::Tensor scale = at::arange(1, 33, at::kFloat);
  const at::Tensor expected = codes.to(at::kFloat) * scale.unsqueeze(1);
  const WeightStore store(source({{"c.weight", codes}, {"c.weight_scale", scale}}), at::kCPU, at::kFloat);
  EXPECT_TRUE(is_equal(store.get("c.weight", {32, 16}), expected));
  const std::vector<std::int64_t> rows{31, 0, 7};
  EXPECT_TRUE(is_equal(store.get_rows("c.weight", {32, 16}, rows),
                       expected.index_select(0, at::tensor(at::IntArrayRef(rows)))));
}

TEST(LinearInputs, AreQuantisedOnceAsTheirRows) {
  const at::Tensor x = at::randn({5, 32}, at::TensorOptions());
  const LinearInput input(x);
  EXPECT_TRUE(input.x().is_same(x));
  const QuantisedRows rows = quantise_rows(x);
  EXPECT_TRUE(at::equal(input.in_fp8().values.view(at::kByte), rows.values.view(at::kByte)));
  EXPECT_TRUE(at::equal(input.in_fp8().scale, rows.scale));
  EXPECT_TRUE(input.in_fp8().values.is_same(input.in_fp8().values)) << "made once";
}

}  // namespace
}  // namespace layerpipe::model::ops
