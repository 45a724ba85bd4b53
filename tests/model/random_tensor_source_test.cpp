#include "model/weights/tensor_source.h"
#include "tests/support/thread_count.h"

namespace layerpipe::model {
namespace {

at::Tensor read(const std::string& name, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat,
                const std::string& component = "transformer") {
  return RandomTensorSource(component, dtype).read(name, shape);
}

double mean_of(const at::Tensor& x) {
  return x.to(at::kDouble).mean().item<double>();
}

double variance_of(const at::Tensor& x) {
  return x.to(at::kDouble).var(/*unbiased=*/false).item<double>();
}

TEST(RandomTensorSource, DependsOnComponentAndNameAlone) {
  const at::Tensor first = read("a.weight", {40, 30});
  EXPECT_TRUE(at::equal(first, read("a.weight", {40, 30})));
  EXPECT_FALSE(at::equal(first, read("b.weight", {40, 30})));
  EXPECT_FALSE(at::equal(first, read("a.weight", {40, 30}, at::kFloat, "vae")));
  EXPECT_TRUE(RandomTensorSource("vae", at::kFloat).contains("anything"));
  EXPECT_EQ(RandomTensorSource("vae", at::kFloat).where("anything"), "random weights");
}

TEST(RandomTensorSource, PartsAreThoseOfTheWhole) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf, at::kFloat, at::kDouble}) {
    const RandomTensorSource source("vae", dtype);
    const at::Tensor whole = source.read("a.weight", {30, 10});
    const at::Tensor part = at::empty({70}, at::TensorOptions().dtype(dtype));
    source.read_bytes("a.weight", {30, 10}, 110 * static_cast<std::int64_t>(part.element_size()),
                      {static_cast<std::byte*>(part.mutable_data_ptr()), part.nbytes()});
    EXPECT_TRUE(at::equal(part, whole.view({-1}).narrow(0, 110, 70))) << dtype;
  }
}

TEST(RandomTensorSource, ThreadsChangeNoBit) {
  // More values than one thread's share, and no multiple of it.
  const auto with_threads = [](int threads) {
    const layerpipe::testing::ThreadCount count(threads);
    return read("a.weight", {601, 501}, at::kBFloat16);
  };
  const at::Tensor one = with_threads(1);
  EXPECT_TRUE(at::equal(one, with_threads(2)));
  EXPECT_TRUE(at::equal(one, with_threads(5)));
}

TEST(RandomTensorSource, MatricesAndConvolutionsKeepTheVariance) {
  // A sum of fan_in products with inputs of variance one has variance one. The sample variance of n uniform
  // values lies within 4 · sqrt(0.8 / n) of the true one, relatively, but once in 15,000 names.
  const auto expect_unit = [](at::IntArrayRef shape, std::int64_t fan_in) {
    const at::Tensor x = read("attn.to_q.weight", shape);
    const double n = static_cast<double>(x.numel());
    EXPECT_NEAR(variance_of(x) * static_cast<double>(fan_in), 1.0, 4 * std::sqrt(0.8 / n)) << x.sizes();
    EXPECT_NEAR(mean_of(x) * std::sqrt(static_cast<double>(fan_in)), 0.0, 4 / std::sqrt(n)) << x.sizes();
  };
  expect_unit({300, 200}, 200);
  expect_unit({64, 32, 3, 3}, 32 * 9);
  expect_unit({32, 16, 3, 3, 3}, 16 * 27);
}

TEST(RandomTensorSource, NormsLieAroundOneAndBiasesNearZero) {
  for (const char* name :
       {"layers.0.input_layernorm.weight", "norm.weight", "attn.norm_q.weight", "decoder.norm_out.gamma"}) {
    const at::Tensor x = read(name, {512});
    EXPECT_NEAR(mean_of(x), 1.0, 0.02) << name;
    EXPECT_LE((x - 1).abs().max().item<float>(), 0.1F) << name;
  }
  EXPECT_NEAR(mean_of(read("decoder.norm_out.gamma", {512, 1, 1, 1})), 1.0, 0.02);
  for (const char* name : {"img_in.bias", "norm_out.linear.bias", "img_mod.1.bias"}) {
    EXPECT_LE(read(name, {512}).abs().max().item<float>(), 0.02F) << name;
  }
  // A matrix is a matrix, whatever it belongs to.
  EXPECT_NEAR(mean_of(read("norm_out.linear.weight", {64, 64})), 0.0, 0.02);
}

TEST(RandomTensorSource, Bf16IsFp32Rounded) {
  for (const auto dtype : {at::kBFloat16, at::kHalf}) {
    EXPECT_TRUE(at::equal(read("a.weight", {70, 50}, dtype), read("a.weight", {70, 50}).to(dtype)));
  }
}

}  // namespace
}  // namespace layerpipe::model
