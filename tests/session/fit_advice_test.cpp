// What is said when a model does not fit, and whether it helps: every sentence is followed. Models of several
// sizes on GPUs that are not there.
#include "session/fit_advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <tuple>

#include "common/units.h"
#include "tests/support/model_copy.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/test_data.h"

namespace layerpipe::session {
namespace {

using partition::Residency;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// The costs of models without weights, each made once.
class Costs {
 public:
  explicit Costs(const std::filesystem::path& folder) : model_(folder, runtime::WeightOrigin::kRandom) {}

  partition::ModelCost of(const runtime::CostWorkload& workload) {
    const auto key = std::tuple(workload.picture.width, workload.picture.height, workload.layers,
                                workload.dtype, workload.linears);
    const auto found = costs_.find(key);
    return found != costs_.end() ? found->second
                                 : costs_.emplace(key, model_cost(model_, workload)).first->second;
  }

 private:
  runtime::ModelFolder model_;
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t, at::ScalarType, runtime::Linears>,
           partition::ModelCost>
      costs_;
};

bool fits(const PlanInput& input) {
  return input.split(input.cost_of(input.workload)).fits;
}

void set_free(PlanInput& input, std::uint64_t bytes) {
  for (partition::DeviceInfo& device : input.devices) device.free_bytes = bytes;
}

// A size as it is printed, and a hundredth of its unit, rounded up.
struct Printed {
  std::uint64_t bytes = 0;
  std::uint64_t step = 0;
};
Printed size_in(std::string text) {
  std::erase(text, ' ');
  const std::uint64_t unit = text.ends_with("GiB") ? std::uint64_t{1} << 30 : kMiB;
  return {common::parse_bytes(text).value(), unit / 100 + 1};
}

// Follows "it would fit with CHANGE".
void change(PlanInput& input, const std::string& text) {
  std::smatch words;
  const auto is = [&](const char* form) { return std::regex_match(text, words, std::regex(form)); };
  if (text == "--residency auto") {
    input.config.residency = {};
  } else if (text == "--strategy balanced") {
    input.config.strategy = partition::Strategy::kBalanced;
    input.config.stages.clear();
  } else if (is(R"(partition: \{reserve: (\d+MiB)\} in the file of --partition)")) {
    input.config.reserve_bytes = common::parse_bytes(words[1].str()).value();
  } else if (is(R"(--resolution (\d+))")) {
    input.workload.picture = input.size_at(std::stol(words[1]));
  } else if (is(R"(--layers (\d+))")) {
    input.workload.layers = std::stol(words[1]);
  } else if (is(R"(--dtype (bf16|fp8))")) {
    input.workload.dtype = at::kBFloat16;
    if (words[1] == "fp8") input.workload.linears = runtime::Linears::kFp8;
  } else if (is(R"((?:(\d+) more devices|one more device) with ([\d.]+ .iB) free(?: each)?)")) {
    for (int more = words[1].matched ? std::stoi(words[1]) : 1; more > 0; --more) {
      partition::DeviceInfo device = input.devices.back();
      device.rank = static_cast<int>(input.devices.size());
      device.free_bytes = size_in(words[2]).bytes;
      input.devices.push_back(device);
    }
  } else {
    FAIL() << "nobody knows how to follow: " << text;
  }
}

// Both halves of a sentence are followed: "It would fit with CHANGE, or as it is with MEMORY."
void expect_that_it_helps(const PlanInput& input, const std::string& advice) {
  std::smatch words;
  const std::string memory =
      R"((?:--memory-limit (\S+iB)|([\d.]+ .iB) free(?: on each device)?(?: and --memory-limit (\S+iB))?))";
  ASSERT_TRUE(std::regex_match(advice, words, std::regex("It would fit with (?:" + memory + R"()\.)")) ||
              std::regex_match(advice, words,
                               std::regex("It would fit with .*, or as it is with " + memory + R"(\.)")))
      << advice;
  const auto with_memory = [&](std::uint64_t less) {
    PlanInput followed = input;
    if (words[1].matched)
      followed.config.memory_limit_bytes = size_in(words[1]).bytes - less * size_in(words[1]).step;
    if (words[2].matched) set_free(followed, size_in(words[2]).bytes - less * size_in(words[2]).step);
    if (words[3].matched) followed.config.memory_limit_bytes = size_in(words[3]).bytes;
    return fits(followed);
  };
  EXPECT_TRUE(with_memory(0)) << advice;
  EXPECT_FALSE(with_memory(1)) << advice;
  std::smatch changed;
  if (!std::regex_match(advice, changed, std::regex("It would fit with (.*), or as it is with .*"))) return;
  PlanInput followed = input;
  change(followed, changed[1]);
  EXPECT_TRUE(fits(followed)) << advice;
}

struct Model {
  const char* name;
  bool is_full_size;
};

class FitAdvice : public ::testing::TestWithParam<Model> {
 protected:
  FitAdvice()
      : costs_(GetParam().is_full_size ? layerpipe::testing::make_full_size_model(folder_.path() / "model")
                                       : layerpipe::testing::copy_with_blocks(
                                             layerpipe::testing::test_data() / "parity" / "plain" / "model",
                                             folder_.path() / "model", 12)) {}

  PlanInput input(std::int64_t resolution, const std::vector<std::uint64_t>& free) {
    PlanInput input{.cost_of = [this](const runtime::CostWorkload& workload) { return costs_.of(workload); },
                    .workload = {.picture = {resolution, resolution},
                                 .device = at::Device(at::kCUDA, 0),
                                 .dtype = at::kBFloat16,
                                 .over_nccl = false},
                    .devices = {},
                    .work = {.requests = 3, .steps = 50},
                    .config = {}};
    for (const std::uint64_t bytes : free)
      input.devices.push_back({.rank = static_cast<int>(input.devices.size()),
                               .host = "node1",
                               .name = {},
                               .total_bytes = bytes,
                               .free_bytes = bytes,
                               .memory_limit = {}});
    return input;
  }

  const layerpipe::testing::TemporaryFolder folder_;
  Costs costs_;
};

TEST_P(FitAdvice, HelpsWhenFollowed) {
  constexpr std::optional<Residency> kResidencies[] = {std::nullopt, Residency::kResident, Residency::kPhased,
                                                       Residency::kStreamed};
  int tried = 0;
  std::map<std::string, int> said;
  for (const std::int64_t resolution : {640, 1024}) {
    for (const std::vector<std::uint64_t>& free :
         {std::vector<std::uint64_t>{700}, {3000}, {40000}, {900, 1100}, {14000, 3000}, {1500, 1500, 1400}}) {
      for (const std::optional<Residency> residency : kResidencies) {
        for (const bool is_limited : {false, true}) {
          std::vector<std::uint64_t> bytes;
          for (const std::uint64_t mib : free) bytes.push_back((is_limited ? 4 * mib : mib) * kMiB + 12'345);
          PlanInput tight = input(resolution, bytes);
          tight.config.residency = partition::for_all(residency);
          if (is_limited) tight.config.memory_limit_bytes = free.front() * kMiB;
          if (tried % 3 == 0) tight.config.in_flight = 5;
          if (fits(tight)) continue;
          ++tried;
          const std::string advice = fit_advice(tight);
          expect_that_it_helps(tight, advice);
          ++said[advice.find("or as it is with --memory-limit") != std::string::npos ||
                         advice.starts_with("It would fit with --memory-limit")
                     ? "limit"
                     : "free"];
        }
      }
    }
  }
  EXPECT_GE(tried, 20);
  EXPECT_GE(said["limit"], 5);
  EXPECT_GE(said["free"], 5);
}

// Of stages that are written down, no share of what would do is said, but the limit that does.
TEST_P(FitAdvice, NamesTheLimitOfStagesThatAreWrittenDown) {
  PlanInput written = input(640, {60'000 * kMiB, 60'000 * kMiB});
  const partition::ModelCost cost = costs_.of(written.workload);
  const auto blocks = static_cast<std::int64_t>(cost.transformer.units.size());
  const auto layers = static_cast<std::int64_t>(cost.text_encoder.units.size());
  written.config.strategy = partition::Strategy::kExplicit;
  written.config.stages = {
      {.rank = 0, .blocks = {0, blocks - 1}, .text_layers = {0, layers}, .vae_percent = 100},
      {.rank = 1, .blocks = {blocks - 1, blocks}, .text_layers = {layers, layers}}};
  written.config.residency = partition::for_all(Residency::kPhased);
  written.config.memory_limit_bytes = 700 * kMiB;
  const std::string advice = fit_advice(written);
  EXPECT_THAT(advice, ::testing::HasSubstr("--memory-limit "));
  expect_that_it_helps(written, advice);
  written.config.memory_limit_bytes.reset();
  set_free(written, 700 * kMiB);
  EXPECT_THAT(fit_advice(written), ::testing::Not(::testing::HasSubstr(" free")));
}

INSTANTIATE_TEST_SUITE_P(Models, FitAdvice,
                         ::testing::Values(Model{"published", true}, Model{"small", false}),
                         [](const auto& info) { return info.param.name; });

// Pictures that are not square are larger than a square of their resolution, or smaller.
TEST(FitAdviceOfPictures, TakesTheSizeThatTheResolutionGives) {
  partition::ModelCost cost;
  cost.transformer.units = {{}};
  PlanInput input{
      .cost_of =
          [&](const runtime::CostWorkload& workload) {
            cost.transformer.workspace_bytes =
                static_cast<std::uint64_t>(workload.picture.width * workload.picture.height) * kMiB;
            return cost;
          },
      .workload = {.picture = {1216, 864}, .device = at::Device(at::kCUDA, 0), .dtype = at::kBFloat16},
      .devices = {{.host = {}, .name = {}, .free_bytes = 640 * 640 * kMiB, .memory_limit = {}}},
      .work = {},
      .config = {.reserve_bytes = 0},
      .size_at =
          [](std::int64_t) {
            return common::Size{768, 544};
          }};
  EXPECT_THAT(fit_advice(input), ::testing::Not(::testing::HasSubstr("--resolution")));
  input.devices[0].free_bytes = 768 * 544 * kMiB;
  EXPECT_THAT(fit_advice(input),
              ::testing::StartsWith("It would fit with --resolution 640, or as it is with "));
  input.workload.picture = {768, 544};  // it has that already
  input.devices[0].free_bytes = 640 * 640 * kMiB;
  EXPECT_THAT(fit_advice(input), ::testing::Not(::testing::HasSubstr("--resolution")));
}

}  // namespace
}  // namespace layerpipe::session
