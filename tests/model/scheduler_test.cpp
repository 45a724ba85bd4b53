#include "model/scheduler.h"

#include <bit>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "model/pipeline/pipeline.h"
#include "tests/support/parity_case.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::model {
namespace {

using Json = nlohmann::json;

SchedulerConfig parse_config(const Json& json) {
  const layerpipe::testing::TemporaryFolder folder;
  const auto file = folder.path() / "scheduler_config.json";
  common::write_file_atomically(file, json.dump());
  return load_scheduler_config(file);
}

std::vector<std::string> bits(const std::vector<float>& values) {
  std::vector<std::string> texts;
  for (const float value : values) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", std::bit_cast<std::uint32_t>(value));
    texts.emplace_back(text);
  }
  return texts;
}

TEST(Scheduler, EqualsDiffusersBitForBit) {
  const auto fixture =
      Json::parse(common::read_text_file(layerpipe::testing::test_data() / "parity" / "scheduler.json"));
  std::map<std::string, SchedulerConfig> configs;
  for (const auto& [name, json] : fixture.at("configs").items()) configs[name] = parse_config(json);
  int compared = 0;
  for (const Json& expected : fixture.at("schedules")) {
    const std::string kind = expected.at("sigmas_in");
    if (kind == "none") continue;  // a pipeline of neither kind
    const bool layered = kind == "layered";
    const SchedulerConfig& config = configs.at(expected.at("config"));
    const auto tokens = expected.at("image_tokens").get<std::int64_t>();
    const Pipeline& pipeline = pipeline_of(layered ? PipelineClass::kLayered : PipelineClass::kTextToImage);
    EXPECT_EQ(pipeline.mu(config, tokens), expected.at("mu").get<double>());
    const Schedule schedule = pipeline.schedule(config, expected.at("steps"), tokens);
    SCOPED_TRACE(expected.at("config").get<std::string>() + " " + kind + ", steps " +
                 expected.at("steps").dump() + ", tokens " + std::to_string(tokens));
    EXPECT_EQ(bits(schedule.sigmas), expected.at("sigmas").get<std::vector<std::string>>());
    EXPECT_EQ(bits(schedule.timesteps), expected.at("timesteps").get<std::vector<std::string>>());
    ++compared;
  }
  EXPECT_GE(compared, 60);
}

// diffusers stretches 0 / 0 here and goes on with NaN.
TEST(Scheduler, OneStepGoesFromPureNoiseToThePicture) {
  SchedulerConfig config;
  config.use_dynamic_shifting = true;
  config.shift_terminal = 0.02;
  for (const auto pipeline : {PipelineClass::kLayered, PipelineClass::kTextToImage}) {
    const Schedule schedule = pipeline_of(pipeline).schedule(config, 1, 1600);
    EXPECT_EQ(schedule.sigmas, (std::vector<float>{1.0F, 0.0F}));
    EXPECT_EQ(schedule.timesteps, std::vector<float>{1000.0F});
    EXPECT_EQ(schedule.steps(), 1);
    EXPECT_THROW(pipeline_of(pipeline).schedule(config, 0, 1600), common::InternalError);
  }
}

TEST(Scheduler, StepInFp32) {
  const Schedule schedule{.sigmas = {1.0F, 0.625F, 0.0F}, .timesteps = {1000.0F, 625.0F}};
  const at::Tensor latents = at::tensor({1.0F, -2.0F, 0.5F});
  const at::Tensor prediction = at::tensor({4.0F, 8.0F, -1.0F});
  EXPECT_TRUE(at::equal(euler_step(schedule, 0, latents, prediction), at::tensor({-0.5F, -5.0F, 0.875F})));
  EXPECT_TRUE(at::equal(euler_step(schedule, 1, latents, prediction), at::tensor({-1.5F, -7.0F, 1.125F})));
}

TEST(Scheduler, StepInBf16RoundsTheDifferenceOfTheSigmas) {
  // The difference is −(1 + 2⁻⁹): to bf16 that is −1, and 256 · 2⁻⁹ would show in the result.
  const Schedule schedule{.sigmas = {1.0F + 0x1p-9F, 0.0F}, .timesteps = {1000.0F}};
  const auto bf16 = [](float value) { return at::full({1}, value, at::kBFloat16); };
  const at::Tensor result = euler_step(schedule, 0, bf16(257.0F - 1.0F), bf16(255.0F));
  EXPECT_EQ(result.scalar_type(), at::kBFloat16);
  EXPECT_EQ(result.item<float>(), 1.0F);
  // The sum is formed in fp32 and rounded at the end: 1 − 2⁻⁹ lies between two bf16 numbers, half to even.
  const Schedule half{.sigmas = {0.5F, 0.0F}, .timesteps = {500.0F}};
  EXPECT_EQ(euler_step(half, 0, bf16(1.0F), bf16(0x1p-8F)).item<float>(), 1.0F);
  EXPECT_EQ(euler_step(half, 0, bf16(1.0F), bf16(0x1p-7F)).item<float>(), 1.0F - 0x1p-8F);
}

}  // namespace
}  // namespace layerpipe::model
