#include "model/text_encoder/text_encoder.h"

#include "common/errors.h"
#include "tests/support/parity_case.h"

namespace layerpipe::model {
namespace {

// The same random weights under one of the namings of tensors.
class NamedWeights : public TensorSource {
 public:
  explicit NamedWeights(std::string prefix) : prefix_(std::move(prefix)) {}
  bool contains(const std::string& name) const override {
    return name.starts_with(prefix_) && !own_name(name).starts_with("language_model.");
  }
  void read_bytes(const std::string& name, at::IntArrayRef shape, std::int64_t begin,
                  std::span<std::byte> to) const override {
    if (!contains(name)) throw common::InputError("tensor \"" + name + "\" is missing");
    weights_.read_bytes(own_name(name), shape, begin, to);
  }
  at::ScalarType storage_dtype(const std::string& name, at::IntArrayRef shape) const override {
    return weights_.storage_dtype(own_name(name), shape);
  }
  bool reads_files() const noexcept override { return false; }
  std::string where(const std::string&) const override { return prefix_; }

 private:
  std::string own_name(const std::string& name) const { return name.substr(prefix_.size()); }
  std::string prefix_;
  RandomTensorSource weights_{"text_encoder", at::kBFloat16};
};

constexpr TextEncoderConfig kConfig{.vocab_size = 50,
                                    .hidden_size = 32,
                                    .intermediate_size = 48,
                                    .num_hidden_layers = 2,
                                    .num_attention_heads = 4,
                                    .num_key_value_heads = 2};

TextEncoder make_encoder(const std::string& prefix, at::ScalarType dtype = at::kFloat) {
  return {WeightStore(std::make_shared<NamedWeights>(prefix), at::kCPU, dtype), kConfig};
}

const std::vector<std::int64_t> kIds{3, 0, 49, 7, 7};

TEST(TextEncoder, BothNamingsGiveTheSame) {
  const at::Tensor older = make_encoder("model.").forward(kIds);
  EXPECT_EQ(older.sizes(), at::IntArrayRef({5, 32}));
  EXPECT_TRUE(layerpipe::testing::is_equal(make_encoder("model.language_model.").forward(kIds), older));
}

TEST(TextEncoder, ATokenSeesNoLaterOne) {
  const TextEncoder encoder = make_encoder("model.");
  std::vector<std::int64_t> other = kIds;
  other.back() = 8;
  const at::Tensor first = encoder.forward(kIds);
  const at::Tensor second = encoder.forward(other);
  EXPECT_TRUE(layerpipe::testing::is_equal(first.narrow(0, 0, 4), second.narrow(0, 0, 4)));
  EXPECT_FALSE(at::equal(first[4], second[4]));
}

TEST(TextEncoder, GivesItsComputeDtype) {
  const at::Tensor bf16 = make_encoder("model.", at::kBFloat16).forward(kIds);
  EXPECT_EQ(bf16.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(layerpipe::testing::is_close(bf16, make_encoder("model.").forward(kIds), 0.03));
}

TEST(TextEncoder, RefusesIdsOutsideOfTheVocabulary) {
  const TextEncoder encoder = make_encoder("model.");
  for (const std::int64_t id : {-1, 50}) {
    const std::vector<std::int64_t> ids{1, id};
    EXPECT_THAT([&] { encoder.forward(ids); }, ::testing::ThrowsMessage<common::InputError>(
                                                   "token id " + std::to_string(id) +
                                                   " lies outside of the text encoder's vocabulary of 50"));
  }
}

}  // namespace
}  // namespace layerpipe::model
