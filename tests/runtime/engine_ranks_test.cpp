// Several ranks give the same bits as one, whatever the split; requests do not disturb each other.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "runtime/engine.h"
#include "runtime/plan/whole_plan.h"
#include "runtime/request/request_state.h"
#include "tests/support/local_ranks.h"
#include "tests/support/model_copy.h"
#include "tests/support/parity_case.h"
#include "tests/support/run_engine.h"
#include "tests/support/split_plan.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/thread_count.h"

namespace layerpipe::runtime {
namespace {

using layerpipe::testing::even_split;
using layerpipe::testing::is_equal;
using layerpipe::testing::on_local_ranks;
using layerpipe::testing::Split;
using layerpipe::testing::split_plan;

// A case whose transformer has blocks enough for several stages, and its own requests: several pictures of
// different sizes, lengths and settings.
struct DeepCase {
  layerpipe::testing::ParityCase parity;
  std::vector<Request> requests;
};

const DeepCase& deep_case() {
  static const DeepCase made = [] {
    DeepCase deep;
    for (const std::string& name : layerpipe::testing::parity_case_names()) {
      auto parity = layerpipe::testing::load_parity_case(name);
      const auto blocks = model::load_model_config(parity.model()).transformer.num_layers;
      if (deep.requests.empty() ||
          blocks > model::load_model_config(deep.parity.model()).transformer.num_layers)
        deep = {parity, {parity.request}};
    }
    const auto picture = [](std::int64_t height, std::int64_t width, std::uint64_t seed) {
      return at::randint(0, 256, {height, width, 4}, at::make_generator<at::CPUGeneratorImpl>(seed),
                         at::TensorOptions().dtype(at::kByte));
    };
    Request first = deep.parity.request;
    first.init_latents = at::Tensor();
    first.picture = picture(64, 96, 1);
    first.steps = 2;
    first.layers = 2;
    first.negative_prompt = " ";
    first.cfg_scale = 4;
    Request second = first;
    second.picture = picture(96, 64, 2);
    second.prompt = "a longer prompt, with some more words in it";
    second.seed = 5;
    second.steps = 3;
    Request third = first;
    third.seed = 9;
    third.negative_prompt.reset();
    third.layers = 1;
    Request fourth = second;
    fourth.cfg_normalize = model::NormRescale::kOn;
    fourth.seed = 11;
    deep.requests = {first, second, third, fourth, first};
    return deep;
  }();
  return made;
}

std::vector<Result> run_split(const Split& split, const EngineConfig& config,
                              std::span<const Request> requests) {
  std::vector<Result> results;
  on_local_ranks(static_cast<int>(split.blocks.size()), [&](comm::Communicator& communicator) {
    Engine engine(config, communicator);
    const std::atomic<bool> stop{false};
    engine.run(requests, split_plan(split),
               {.progress = {},
                .result = [&](std::size_t, Result result) { results.push_back(std::move(result)); },
                .failed = {}},
               stop);
  });
  return results;
}

std::vector<Result> run_split(const Split& split, at::ScalarType dtype, std::span<const Request> requests) {
  return run_split(split, {.model_folder = deep_case().parity.model(), .dtype = dtype}, requests);
}

void expect_same(const std::vector<Result>& ours, const std::vector<Result>& expected) {
  ASSERT_EQ(ours.size(), expected.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_TRUE(is_equal(ours[i].init_latents, expected[i].init_latents)) << "init_latents of " << i;
    EXPECT_TRUE(is_equal(ours[i].prompt_embeds, expected[i].prompt_embeds)) << "prompt_embeds of " << i;
    EXPECT_TRUE(is_equal(ours[i].image_latents, expected[i].image_latents)) << "image_latents of " << i;
    EXPECT_TRUE(is_equal(ours[i].latents, expected[i].latents)) << "latents of " << i;
    EXPECT_TRUE(is_equal(ours[i].decoded, expected[i].decoded)) << "decoded of " << i;
  }
}

struct Precision {
  const char* name;
  at::ScalarType dtype;
};

// Weights are quantised by each rank for itself, block by block.
TEST(EngineRanksInFp8, GiveTheSameBits) {
  const model::ModelConfig model = model::load_model_config(deep_case().parity.model());
  const std::span<const Request> requests(deep_case().requests.data(), 2);
  const EngineConfig config{
      .model_folder = deep_case().parity.model(), .dtype = at::kBFloat16, .linears = Linears::kFp8};
  const std::vector<Result> alone = run_split(even_split(model, 1), config, requests);
  for (const std::int64_t ranks : {2, 3}) {
    SCOPED_TRACE(std::to_string(ranks) + " ranks");
    expect_same(run_split(even_split(model, ranks), config, requests), alone);
  }
  const layerpipe::testing::ThreadCount threads(3);
  expect_same(run_split(even_split(model, 1), config, requests), alone);
  // A seed gives the noise of bf16, and other latents.
  const std::vector<Result> bf16 = run_split(even_split(model, 1), at::kBFloat16, requests);
  EXPECT_TRUE(is_equal(bf16[0].init_latents, alone[0].init_latents));
  EXPECT_TRUE(is_equal(bf16[0].prompt_embeds, alone[0].prompt_embeds));
  EXPECT_FALSE(is_equal(bf16[0].latents, alone[0].latents));
}

class EngineRanks : public ::testing::TestWithParam<Precision> {
 protected:
  at::ScalarType dtype() const { return GetParam().dtype; }
  const model::ModelConfig& model() const {
    static const model::ModelConfig config = model::load_model_config(deep_case().parity.model());
    return config;
  }
  // What one rank alone computes, one request at a time.
  const std::vector<Result>& alone() const {
    static std::map<at::ScalarType, std::vector<Result>> known;
    std::vector<Result>& results = known[dtype()];
    if (results.empty()) {
      Engine engine({.model_folder = deep_case().parity.model(), .dtype = dtype()});
      const std::atomic<bool> stop{false};
      for (const Request& request : deep_case().requests)
        results.push_back(layerpipe::testing::run_engine(engine, {&request, 1}, {}, stop).front());
    }
    return results;
  }
};

TEST_P(EngineRanks, EvenSplitsGiveTheSameBits) {
  for (std::int64_t ranks = 1; ranks <= model().transformer.num_layers; ++ranks) {
    for (const std::int64_t in_flight : {std::int64_t{1}, std::int64_t{5}}) {
      SCOPED_TRACE(std::to_string(ranks) + " ranks, " + std::to_string(in_flight) + " in flight");
      Split split = even_split(model(), ranks);
      split.in_flight = in_flight;
      expect_same(run_split(split, dtype(), deep_case().requests), alone());
    }
  }
}

// More ranks than the committed models have blocks: a model of eight with random weights.
TEST_P(EngineRanks, SevenRanksGiveTheSameBits) {
  const layerpipe::testing::TemporaryFolder folder;
  const EngineConfig config{.model_folder = layerpipe::testing::copy_with_blocks(deep_case().parity.model(),
                                                                                 folder.path() / "model", 8),
                            .dtype = dtype(),
                            .weights = WeightOrigin::kRandom};
  const auto model = model::load_model_config(config.model_folder);
  ASSERT_EQ(model.transformer.num_layers, 8);
  Split split = even_split(model, 7);
  split.in_flight = 3;
  const std::span<const Request> requests = std::span(deep_case().requests).first(3);
  expect_same(run_split(split, config, requests), run_split(even_split(model, 1), config, requests));
}

TEST_P(EngineRanks, VeryUnequalSplitsGiveTheSameBits) {
  const std::int64_t blocks = model().transformer.num_layers;
  const std::int64_t layers = model().text_encoder.num_hidden_layers;
  ASSERT_GE(blocks, 4);
  const std::vector<Split> splits = {
      {.blocks = {1, blocks - 1}, .text_layers = {layers, 0}, .vae_percent = {3, 97}, .in_flight = 2},
      {.blocks = {blocks - 2, 1, 1},
       .text_layers = {0, 0, layers},
       .vae_percent = {0, 100, 0},
       .in_flight = 3},
      {.blocks = {1, blocks - 2, 1},
       .text_layers = {0, layers, 0},
       .vae_percent = {100, 0, 0},
       .in_flight = 1},
  };
  for (const Split& split : splits) expect_same(run_split(split, dtype(), deep_case().requests), alone());
}

TEST_P(EngineRanks, ResidencyChangesNoBit) {
  Split split = even_split(model(), 2);
  split.residency = partition::Residency::kResident;
  split.in_flight = 2;
  expect_same(run_split(split, dtype(), deep_case().requests), alone());
}

// Whatever stays, passes, and shares a pass: on a stage alone and on several.
TEST_P(EngineRanks, StreamingChangesNoBit) {
  for (std::int64_t ranks = 1; ranks <= 3; ++ranks) {
    for (const std::int64_t kept : {std::int64_t{0}, std::int64_t{1}}) {
      for (const std::int64_t most_in_pass : {std::int64_t{1}, std::int64_t{2}, std::int64_t{6}}) {
        SCOPED_TRACE(std::to_string(ranks) + " ranks, " + std::to_string(kept) + " kept, " +
                     std::to_string(most_in_pass) + " in a pass");
        Split split = even_split(model(), ranks);
        split.residency = partition::Residency::kStreamed;
        split.kept = kept;
        split.most_in_pass = most_in_pass;
        split.in_flight = 3;
        expect_same(run_split(split, dtype(), deep_case().requests), alone());
      }
    }
  }
}

TEST_P(EngineRanks, ThreadsOfARankChangeNoBit) {
  const layerpipe::testing::ThreadCount one(1);
  expect_same(run_split(even_split(model(), 3), dtype(), deep_case().requests), alone());
}

// Alone, where requests share passes; over two stages, where branches do; over three, where none does.
struct WayOfRunning {
  int ranks;
  std::int64_t most_in_pass;
};
constexpr WayOfRunning kWaysOfRunning[] = {{1, 6}, {2, 2}, {3, 1}};

TEST_P(EngineRanks, ARequestThatFailsDoesNotDisturbTheOthers) {
  std::vector<Request> requests = deep_case().requests;
  requests[1].init_latents =
      at::full({grid_of(requests[1], model()).latent_tokens(), model().transformer.in_channels},
               std::numeric_limits<float>::quiet_NaN());
  for (const WayOfRunning& way : kWaysOfRunning) {
    SCOPED_TRACE(way.ranks);
    Split split = even_split(model(), way.ranks);
    split.in_flight = 2;
    split.most_in_pass = way.most_in_pass;
    std::map<std::size_t, Result> results;
    std::vector<std::string> failures;
    on_local_ranks(way.ranks, [&](comm::Communicator& communicator) {
      Engine engine({.model_folder = deep_case().parity.model(), .dtype = dtype()}, communicator);
      const std::atomic<bool> stop{false};
      engine.run(requests, split_plan(split),
                 {.progress = {},
                  .result = [&](std::size_t i, Result result) { results[i] = std::move(result); },
                  .failed =
                      [&](std::size_t i, const std::exception_ptr& reason) {
                        try {
                          std::rethrow_exception(reason);
                        } catch (const common::InputError& error) {
                          failures.push_back(std::to_string(i) + ": " + error.what());
                        }
                      }},
                 stop);
    });
    EXPECT_THAT(failures, ::testing::ElementsAre("1: the latents of result 1 are not finite numbers"));
    ASSERT_EQ(results.size(), requests.size() - 1);
    for (const auto& [i, result] : results) EXPECT_TRUE(is_equal(result.decoded, alone()[i].decoded)) << i;
  }
}

TEST_P(EngineRanks, ARequestThatIsCancelledDoesNotDisturbTheOthers) {
  for (const WayOfRunning& way : kWaysOfRunning) {
    SCOPED_TRACE(way.ranks);
    Split split = even_split(model(), way.ranks);
    split.in_flight = 3;
    split.most_in_pass = way.most_in_pass;
    std::map<std::size_t, Result> results;
    std::vector<std::size_t> failures;
    on_local_ranks(way.ranks, [&](comm::Communicator& communicator) {
      Engine engine({.model_folder = deep_case().parity.model(), .dtype = dtype()}, communicator);
      const std::atomic<bool> stop{false};
      engine.run(deep_case().requests, split_plan(split),
                 {.progress =
                      [&](const Progress& progress) {
                        if (progress.phase == partition::Phase::kDenoise && progress.done == 1)
                          engine.cancel(1);
                      },
                  .result = [&](std::size_t i, Result result) { results[i] = std::move(result); },
                  .failed = [&](std::size_t i, const std::exception_ptr&) { failures.push_back(i); }},
                 stop);
    });
    EXPECT_THAT(failures, ::testing::ElementsAre(1));
    for (const auto& [i, result] : results) EXPECT_TRUE(is_equal(result.decoded, alone()[i].decoded)) << i;
    EXPECT_EQ(results.size(), deep_case().requests.size() - 1);
  }
}

TEST_P(EngineRanks, ARequestThatIsCancelledWhileOthersAreDecodedIsPassedOver) {
  Split split = even_split(model(), 3);
  split.vae_percent = {0, 60, 40};  // the first stage has no strips and no text layers
  split.text_layers = {0, model().text_encoder.num_hidden_layers - 1, 1};
  split.in_flight = 3;
  std::map<std::size_t, Result> results;
  std::vector<std::size_t> failures;
  on_local_ranks(3, [&](comm::Communicator& communicator) {
    Engine engine({.model_folder = deep_case().parity.model(), .dtype = dtype()}, communicator);
    const std::atomic<bool> stop{false};
    engine.run(deep_case().requests, split_plan(split),
               {.progress =
                    [&](const Progress& progress) {
                      if (progress.phase == partition::Phase::kDecode &&
                          progress.work == Progress::Work::kCompute && progress.done == 1)
                        engine.cancel(2);
                    },
                .result = [&](std::size_t i, Result result) { results[i] = std::move(result); },
                .failed = [&](std::size_t i, const std::exception_ptr&) { failures.push_back(i); }},
               stop);
  });
  EXPECT_THAT(failures, ::testing::ElementsAre(2));
  EXPECT_EQ(results.size(), deep_case().requests.size() - 1);
  for (const auto& [i, result] : results) EXPECT_TRUE(is_equal(result.decoded, alone()[i].decoded)) << i;
}

TEST_P(EngineRanks, AnEngineRunsTwice) {
  Split split = even_split(model(), 2);
  std::vector<Result> results;
  on_local_ranks(2, [&](comm::Communicator& communicator) {
    Engine engine({.model_folder = deep_case().parity.model(), .dtype = dtype()}, communicator);
    const std::atomic<bool> stop{false};
    for (const std::size_t i : {0, 1}) {
      engine.run({&deep_case().requests[i], 1}, split_plan(split),
                 {.progress = {},
                  .result = [&](std::size_t, Result result) { results.push_back(std::move(result)); },
                  .failed = {}},
                 stop);
    }
  });
  expect_same(results, {alone()[0], alone()[1]});
}

INSTANTIATE_TEST_SUITE_P(Precisions, EngineRanks,
                         ::testing::Values(Precision{"fp32", at::kFloat}, Precision{"bf16", at::kBFloat16}),
                         [](const auto& info) { return info.param.name; });

TEST(EngineRanksFailure, ARankThatThrowsEndsTheOthersWithItsReason) {
  const auto model = model::load_model_config(deep_case().parity.model());
  const Split split = even_split(model, 3);
  const auto thrown = layerpipe::testing::try_on_local_ranks(
      3, std::chrono::seconds(10), [&](comm::Communicator& communicator) {
        Engine engine({.model_folder = deep_case().parity.model()}, communicator);
        const std::atomic<bool> stop{false};
        const bool fails = communicator.rank() == 1;
        engine.run(deep_case().requests, split_plan(split),
                   {.progress =
                        [&](const Progress& progress) {
                          if (fails && progress.phase == partition::Phase::kDenoise)
                            throw common::InternalError("a test breaks rank 1");
                        },
                    .result = [](std::size_t, const Result&) { FAIL() << "a result came"; },
                    .failed = {}},
                   stop);
      });
  for (const int rank : {0, 2}) {
    try {
      ASSERT_TRUE(thrown[static_cast<std::size_t>(rank)]) << rank;
      std::rethrow_exception(thrown[static_cast<std::size_t>(rank)]);
    } catch (const common::PeerFailedError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("rank 1"));
      EXPECT_THAT(error.what(), ::testing::HasSubstr("a test breaks rank 1"));
    }
  }
}

}  // namespace
}  // namespace layerpipe::runtime
