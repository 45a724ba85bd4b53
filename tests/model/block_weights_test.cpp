// Leases of blocks, and that networks compute on one at a time.
#include "model/weights/block_weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <gmock/gmock.h>

#include <array>

#include "common/errors.h"
#include "model/text_encoder/text_encoder.h"
#include "model/transformer/transformer.h"
#include "tests/support/modulation.h"
#include "tests/support/parity_case.h"

namespace layerpipe::model {
namespace {

using layerpipe::testing::is_equal;
using layerpipe::testing::modulation_of;
using ::testing::ElementsAre;

struct Number {
  std::int64_t value = 0;
};

// What was acquired and released, in order.
using Events = std::vector<std::string>;

// Held blocks that write down who comes and goes.
template <class Block>
class WatchedBlocks : public BlockWeights<Block> {
 public:
  WatchedBlocks(const common::Range& range, const std::function<Block(std::int64_t)>& load, Events& events)
      : blocks_(range, load), events_(events) {}

  Lease<Block> acquire(std::int64_t index) override {
    events_.push_back("acquire " + std::to_string(index));
    return this->lease(index, *blocks_.acquire(index));
  }

 private:
  void release(std::int64_t index) noexcept override {
    events_.push_back("release " + std::to_string(index));
  }

  HeldBlocks<Block> blocks_;
  Events& events_;
};

TEST(HeldBlocks, LoadsInOrderAndGivesInAny) {
  std::vector<std::int64_t> loaded;
  HeldBlocks<Number> blocks({2, 5}, [&](std::int64_t index) {
    loaded.push_back(index);
    return Number{10 * index};
  });
  EXPECT_THAT(loaded, ElementsAre(2, 3, 4));
  for (const std::int64_t index : {4, 2, 3, 2}) EXPECT_EQ((*blocks.acquire(index)).value, 10 * index);
  EXPECT_EQ(&*blocks.acquire(3), &*blocks.acquire(3));
  for (const std::int64_t index : {1, 5}) {
    EXPECT_THAT([&] { blocks.acquire(index); }, ::testing::ThrowsMessage<common::InternalError>(
                                                    "a block was asked for whose weights are not held"));
  }
}

TEST(Lease, EndsOnceThoughItMoves) {
  Events events;
  WatchedBlocks<Number> blocks(
      {0, 2}, [](std::int64_t index) { return Number{index}; }, events);
  {
    Lease<Number> first = blocks.acquire(1);
    const Lease<Number> second = std::move(first);
    EXPECT_EQ((*second).value, 1);
    EXPECT_THAT(events, ElementsAre("acquire 1"));
  }
  EXPECT_THAT(events, ElementsAre("acquire 1", "release 1"));
  static_assert(!std::is_copy_constructible_v<Lease<Number>>);
}

constexpr TransformerConfig kTransformer{.in_channels = 8,
                                         .out_channels = 2,
                                         .num_layers = 3,
                                         .attention_head_dim = 12,
                                         .num_attention_heads = 2,
                                         .joint_attention_dim = 16,
                                         .axes_dims_rope = {4, 2, 6}};
constexpr TextEncoderConfig kTextEncoder{.vocab_size = 50,
                                         .hidden_size = 32,
                                         .intermediate_size = 48,
                                         .num_hidden_layers = 3,
                                         .num_attention_heads = 4,
                                         .num_key_value_heads = 2};

WeightStore random_store(const char* component) {
  return {std::make_shared<RandomTensorSource>(component, at::kFloat), at::kCPU, at::kFloat};
}

at::Tensor numbers(std::int64_t rows, std::int64_t columns) {
  return at::arange(rows * columns, at::kFloat).view({rows, columns}).sin();
}

TEST(TransformerLeases, AreOfOneBlockAtATimeInOrder) {
  const WeightStore store = random_store("transformer");
  const common::Range blocks{1, 3};
  Events events;
  const Transformer transformer(store, kTransformer, blocks, [&] {
    return std::make_unique<WatchedBlocks<TransformerBlockWeights>>(
        blocks, [&](std::int64_t index) { return load_transformer_block(store, kTransformer, index); },
        events);
  });
  EXPECT_THAT(events, ElementsAre());
  const TokenGrid grid{.frames = 2, .height = 2, .width = 3, .has_condition = true};
  const JointRotary rotary{image_rotary_table(grid, kTransformer.axes_dims_rope, at::kCPU),
                           text_rotary_table(grid, kTransformer.axes_dims_rope, 5, at::kCPU)};
  const auto forward = [&](const Transformer& part, const std::function<void()>& after_block) {
    TransformerMicrobatch microbatch{{numbers(grid.image_tokens(), 24), numbers(5, 24)},
                                     modulation_of(store, kTransformer, blocks, 500),
                                     rotary};
    // Two that share the pass.
    std::array both{microbatch, microbatch};
    both[1].streams = {numbers(grid.image_tokens(), 24) + 1, numbers(5, 24)};
    part.forward_blocks(both, after_block);
    EXPECT_FALSE(is_equal(both[0].streams.hidden_states, both[1].streams.hidden_states));
    return both[0].streams.hidden_states;
  };
  const at::Tensor result = forward(transformer, [&] { events.emplace_back("after"); });
  EXPECT_THAT(events, ElementsAre("acquire 1", "after", "after", "release 1", "acquire 2", "after", "after",
                                  "release 2"));
  EXPECT_TRUE(is_equal(result, forward({store, kTransformer, blocks}, {})));
}

TEST(TextEncoderLeases, AreOfOneLayerAtATimeInOrder) {
  const WeightStore store = random_store("text_encoder");
  const common::Range layers{0, 2};
  Events events;
  const TextEncoder encoder(store, kTextEncoder, layers, [&] {
    return std::make_unique<WatchedBlocks<TextLayerWeights>>(
        layers,
        [&](std::int64_t index) { return load_text_layer(language_model_scope(store), kTextEncoder, index); },
        events);
  });
  const auto forward = [](const TextEncoder& part, const std::function<void()>& after_layer) {
    const at::Tensor hidden_states = numbers(4, 32);
    part.forward_layers(hidden_states, after_layer);
    return hidden_states;
  };
  const at::Tensor result = forward(encoder, [&] { events.emplace_back("after"); });
  EXPECT_THAT(events, ElementsAre("acquire 0", "release 0", "after", "acquire 1", "release 1", "after"));
  EXPECT_TRUE(is_equal(result, forward({store, kTextEncoder, layers}, {})));
}

// A lease ends when what computes on it throws.
TEST(TransformerLeases, EndWhenTheBlockCannotBeComputed) {
  const WeightStore store = random_store("transformer");
  const common::Range blocks{0, 1};
  Events events;
  const Transformer transformer(store, kTransformer, blocks, [&] {
    return std::make_unique<WatchedBlocks<TransformerBlockWeights>>(
        blocks, [&](std::int64_t index) { return load_transformer_block(store, kTransformer, index); },
        events);
  });
  TransformerMicrobatch of_another_width{
      {numbers(6, 10), numbers(5, 10)}, modulation_of(store, kTransformer, blocks, 500), {}};
  EXPECT_ANY_THROW(transformer.forward_blocks({&of_another_width, 1}));
  EXPECT_THAT(events, ElementsAre("acquire 0", "release 0"));
}

}  // namespace
}  // namespace layerpipe::model
