// The modulation table in an engine: the same bits however it is filled, and when its weights pass.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/randint.h>
#include <gmock/gmock.h>

#include <limits>

#include "common/errors.h"
#include "model/transformer/modulation_table.h"
#include "model/weights/safetensors.h"
#include "runtime/engine.h"
#include "runtime/request/request_state.h"
#include "tests/support/local_ranks.h"
#include "tests/support/parity_case.h"
#include "tests/support/refusal.h"
#include "tests/support/run_engine.h"
#include "tests/support/split_plan.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::runtime {
namespace {

using layerpipe::testing::even_split;
using layerpipe::testing::is_equal;
using layerpipe::testing::load_parity_case;
using layerpipe::testing::on_local_ranks;
using layerpipe::testing::ParityCase;
using layerpipe::testing::run_engine;
using layerpipe::testing::split_plan;
using partition::Residency;
using ::testing::ElementsAre;

// The case whose model has most blocks.
const ParityCase& deep_case() {
  static const ParityCase made = [] {
    ParityCase deepest;
    std::int64_t most = 0;
    for (const std::string& name : layerpipe::testing::parity_case_names()) {
      ParityCase parity = load_parity_case(name);
      const std::int64_t blocks = model::load_model_config(parity.model()).transformer.num_layers;
      if (blocks > most) deepest = std::move(parity);
      most = std::max(most, blocks);
    }
    return deepest;
  }();
  return made;
}

const model::ModelConfig& config() {
  static const model::ModelConfig read = model::load_model_config(deep_case().model());
  return read;
}

// A small picture, whose size decides how its timesteps are shifted.
Request request_of(std::int64_t height, std::int64_t width, std::int64_t steps = 3) {
  Request request = deep_case().request;
  request.picture = at::randint(0, 256, {height, width, 4}, at::make_generator<at::CPUGeneratorImpl>(1),
                                at::TensorOptions().dtype(at::kByte));
  request.layers = 1;
  request.steps = steps;
  request.init_latents = at::Tensor();
  return request;
}

std::int64_t different_timesteps(const std::vector<Request>& requests, at::ScalarType dtype) {
  return model::rows_for(timesteps_of(requests, config()), dtype);
}

const std::atomic<bool> never{false};

// An engine on one rank that is given windows, and tells when the weights of the modulation passed.
class Windows {
 public:
  explicit Windows(std::int64_t rows, Residency residency = Residency::kResident)
      : engine_({.model_folder = deep_case().model(), .dtype = at::kFloat}),
        plan_(whole_plan(engine_.model_config())) {
    plan_.residency = {residency, Residency::kPhased, Residency::kPhased};
    plan_.modulation_rows = rows;
  }

  // Whether the weights passed for the window.
  bool pass(const std::vector<Request>& requests, const std::vector<Request>& later = {}) {
    std::vector<std::int64_t> told;
    engine_.run(requests, plan_,
                {.progress =
                     [&](const Progress& progress) {
                       if (progress.work == Progress::Work::kPrepare) told.push_back(progress.done);
                     },
                 .result = [&](std::size_t, Result result) { last_ = std::move(result); },
                 .failed = {}},
                never, later);
    return !told.empty();
  }
  const Result& last() const { return last_; }

 private:
  Engine engine_;
  partition::Plan plan_;
  Result last_;
};

struct Precision {
  const char* name;
  at::ScalarType dtype;
};

class EngineModulation : public ::testing::TestWithParam<Precision> {
 protected:
  std::vector<Result> run(const layerpipe::testing::Split& split, std::int64_t rows,
                          const std::vector<std::vector<Request>>& windows) const {
    std::vector<Result> results;
    on_local_ranks(static_cast<int>(split.blocks.size()), [&](comm::Communicator& communicator) {
      Engine engine({.model_folder = deep_case().model(), .dtype = GetParam().dtype}, communicator);
      partition::Plan plan = split_plan(split);
      plan.modulation_rows = rows;
      for (const std::vector<Request>& requests : windows) {
        engine.run(requests, plan,
                   {.progress = {},
                    .result = [&](std::size_t, Result result) { results.push_back(std::move(result)); },
                    .failed = {}},
                   never);
      }
    });
    return results;
  }
};

// Three pictures of three sizes: a window has the timesteps of all of them. Together, and each in a window of
// its own with and without room for what the others made; on one rank to three; whether the transformer stays
// or comes and goes.
TEST_P(EngineModulation, IsTheSameInAnyCompany) {
  const std::vector<Request> requests{request_of(64, 64), request_of(96, 64), request_of(96, 96)};
  const std::int64_t all = different_timesteps(requests, GetParam().dtype);
  ASSERT_GT(all, different_timesteps({requests[0]}, GetParam().dtype));
  std::vector<Result> expected;
  for (const Request& request : requests)
    expected.push_back(run(even_split(config(), 1), 0, {{request}}).front());
  const std::vector<std::vector<Request>> one_by_one{{requests[0]}, {requests[1]}, {requests[2]}};
  for (const std::int64_t ranks : {1, 2, 3}) {
    for (const Residency residency : {Residency::kResident, Residency::kPhased}) {
      SCOPED_TRACE(std::to_string(ranks) + " ranks, " + to_string(residency));
      layerpipe::testing::Split split = even_split(config(), ranks);
      split.residency = residency;
      split.in_flight = 2;
      for (const auto& results :
           {run(split, 0, {requests}), run(split, 0, one_by_one), run(split, all, one_by_one)}) {
        ASSERT_EQ(results.size(), expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
          EXPECT_TRUE(is_equal(results[i].latents, expected[i].latents)) << "latents of " << i;
          EXPECT_TRUE(is_equal(results[i].decoded, expected[i].decoded)) << "decoded of " << i;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, EngineModulation,
                         ::testing::Values(Precision{"fp32", at::kFloat}, Precision{"bf16", at::kBFloat16}),
                         [](const auto& info) { return info.param.name; });

TEST(EngineModulationRows, StayFromWindowToWindowThoughTheTransformerComesAndGoes) {
  for (const Residency residency : {Residency::kResident, Residency::kPhased}) {
    Windows windows(0, residency);
    EXPECT_TRUE(windows.pass({request_of(64, 64)}));
    EXPECT_FALSE(windows.pass({request_of(64, 64)}));
    EXPECT_FALSE(windows.pass({request_of(64, 64), request_of(64, 64)}));
  }
}

// The budget of rows is the plan's, and a window's own need.
TEST(EngineModulationRows, GoWhenAWindowNeedsTheirRoom) {
  const std::vector<Request> small{request_of(64, 64)};
  const std::vector<Request> large{request_of(96, 96)};
  Windows narrow(3);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(narrow.pass(small)) << round;
    EXPECT_TRUE(narrow.pass(large)) << round;
  }
  Windows wide(different_timesteps({small[0], large[0]}, at::kFloat));
  EXPECT_TRUE(wide.pass(small));
  EXPECT_TRUE(wide.pass(large));
  EXPECT_FALSE(wide.pass(small));
  EXPECT_FALSE(wide.pass(large));
}

TEST(EngineModulationRows, OfLaterWindowsAreMadeWithTheFirstAsThereIsRoom) {
  const Request small = request_of(64, 64);
  const Request middle = request_of(96, 64);
  const Request large = request_of(96, 96);
  Windows wide(different_timesteps({small, middle, large}, at::kFloat));
  EXPECT_TRUE(wide.pass({small}, {middle, large}));
  EXPECT_FALSE(wide.pass({middle}, {large}));
  EXPECT_FALSE(wide.pass({large}));
  const at::Tensor made_ahead = wide.last().decoded;
  Windows narrower(different_timesteps({small, middle}, at::kFloat));
  EXPECT_TRUE(narrower.pass({small}, {middle, large}));
  EXPECT_FALSE(narrower.pass({middle}, {large}));
  EXPECT_TRUE(narrower.pass({large}));
  EXPECT_TRUE(is_equal(narrower.last().decoded, made_ahead));
}

class EngineModulationProgress : public ::testing::Test {
 protected:
  std::atomic<bool> stop_{false};
  Engine engine_{EngineConfig{.model_folder = deep_case().model(), .dtype = at::kFloat}};
};

TEST_F(EngineModulationProgress, IsToldInBytesOfTheWeightsThatPass) {
  std::uint64_t bytes = 0;
  const ModelFolder model(deep_case().model(), WeightOrigin::kFiles);
  check_modulation_weights(
      model::WeightStore::dry_run(model.source(partition::Network::kTransformer), at::kCPU, at::kFloat,
                                  [&](std::uint64_t more) { bytes += more; }),
      config().transformer, {0, config().transformer.num_layers});
  std::vector<std::int64_t> done;
  std::vector<std::string> works;  // of the denoise phase, in order
  const std::vector<Request> requests{request_of(64, 64)};
  run_engine(
      engine_, requests,
      [&](const Progress& progress) {
        if (progress.phase != partition::Phase::kDenoise) return;
        constexpr const char* kNames[] = {"load", "prepare", "compute"};
        const std::string work = kNames[static_cast<int>(progress.work)];
        if (works.empty() || works.back() != work) works.push_back(work);
        if (progress.work != Progress::Work::kPrepare) return;
        EXPECT_EQ(progress.network, partition::Network::kTransformer);
        EXPECT_EQ(progress.total, static_cast<std::int64_t>(bytes));
        done.push_back(progress.done);
      },
      stop_);
  EXPECT_THAT(works, ElementsAre("load", "prepare", "compute"));
  ASSERT_FALSE(done.empty());
  EXPECT_EQ(done.front(), 0);
  EXPECT_EQ(done.back(), static_cast<std::int64_t>(bytes));
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_GT(done.size(), 2 * static_cast<std::size_t>(config().transformer.num_layers));
}

TEST_F(EngineModulationProgress, LooksWhetherToStop) {
  const std::vector<Request> requests{request_of(64, 64)};
  EXPECT_THROW(run_engine(
                   engine_, requests,
                   [&](const Progress& progress) {
                     if (progress.work != Progress::Work::kPrepare) return;
                     EXPECT_LT(progress.done, progress.total / 2);
                     stop_ = true;
                   },
                   stop_),
               common::InterruptedError);
  stop_ = false;
  EXPECT_EQ(run_engine(engine_, requests, {}, stop_).size(), 1U);
}

// A copy of the model whose transformer lies in one file, changed.
class DamagedModulation : public ::testing::Test {
 protected:
  void rewrite(const std::function<void(std::map<std::string, at::Tensor>&)>& change) const {
    std::filesystem::copy(deep_case().model(), model_, std::filesystem::copy_options::recursive);
    std::map<std::string, at::Tensor> tensors;
    std::vector<std::filesystem::path> shards;
    for (const auto& entry : std::filesystem::directory_iterator(file_.parent_path())) {
      if (entry.path().filename() == "config.json") continue;
      shards.push_back(entry.path());
      if (entry.path().extension() != ".safetensors") continue;
      const model::SafetensorsFile shard(entry.path());
      for (const auto& [name, info] : shard.tensors()) tensors[name] = shard.read(name);
    }
    for (const std::filesystem::path& shard : shards) std::filesystem::remove(shard);
    change(tensors);
    model::write_safetensors(file_, tensors);
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path model_ = folder_.path() / "model";
  std::filesystem::path file_ = model_ / "transformer" / "diffusion_pytorch_model.safetensors";
};

TEST_F(DamagedModulation, IsNamedBeforeTheWorkWhenATensorIsMissing) {
  rewrite([](auto& tensors) { tensors.erase("transformer_blocks.1.txt_mod.1.weight"); });
  EXPECT_EQ(layerpipe::testing::refusal(model_ / "transformer", [&] { Engine({.model_folder = model_}); }),
            "FILE: tensor \"transformer_blocks.1.txt_mod.1.weight\" is missing");
}

TEST_F(DamagedModulation, IsNamedWhenValuesAreNotFinite) {
  rewrite([](auto& tensors) {
    tensors.at("norm_out.linear.weight").view({-1})[7] = std::numeric_limits<float>::infinity();
  });
  Engine engine({.model_folder = model_});
  const std::vector<Request> requests{request_of(64, 64)};
  EXPECT_EQ(layerpipe::testing::refusal(file_, [&] { run_engine(engine, requests, {}, never); }),
            "FILE: tensor \"norm_out.linear.weight\" holds values that are not finite numbers");
}

}  // namespace
}  // namespace layerpipe::runtime
