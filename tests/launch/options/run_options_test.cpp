// Command line over config file over default, and what run.json hears of it.
#include "launch/options/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "common/files.h"
#include "launch/options/command_line.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::launch {
namespace {

using partition::Residency;
using partition::Strategy;
using std::chrono::milliseconds;
using ::testing::ElementsAre;

constexpr const char* kFile = R"(
partition:
  strategy: explicit
  residency: {transformer: resident, vae: phased}
  reserve: 1GiB
  stages: [{rank: 0, transformer: 0-3, text_encoder: 0-1, vae: 100%}]
comm: {channel: mpi, timeout: 5s}
runtime: {dtype: bf16, in_flight: 2}
)";

runtime::RunConfig file() {
  return runtime::parse_run_config(kFile, "run.yaml");
}

std::vector<std::string> keys(const runtime::RunConfig& config) {
  std::vector<std::string> keys;
  for (const auto& setting : config.file_settings) keys.push_back(setting.key);
  return keys;
}

TEST(Merge, LeavesAFileAloneWithoutOptions) {
  const runtime::RunConfig config = merge({}, file());
  EXPECT_EQ(config.partition.strategy, Strategy::kExplicit);
  EXPECT_EQ(config.partition.residency.transformer, Residency::kResident);
  EXPECT_EQ(config.partition.stages.size(), 1U);
  EXPECT_EQ(config.comm.timeout, milliseconds(5000));
  EXPECT_EQ(config.dtype, "bf16");
  EXPECT_EQ(keys(config), keys(file()));
}

TEST(Merge, TakesTheCommandLineBeforeTheFile) {
  RunOptions options;
  options.strategy = Strategy::kFastest;
  options.residency = {Residency::kPhased, Residency::kPhased, Residency::kPhased};
  options.memory_limit_bytes = 12345;
  options.timeout = milliseconds(700);
  options.dtype = "fp32";
  const runtime::RunConfig config = merge(options, file());
  EXPECT_EQ(config.partition.strategy, Strategy::kFastest);
  EXPECT_TRUE(config.partition.stages.empty());
  EXPECT_EQ(config.partition.residency.transformer, Residency::kPhased);
  EXPECT_EQ(config.partition.memory_limit_bytes, 12345U);
  EXPECT_EQ(config.partition.reserve_bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(config.partition.in_flight, 2);
  EXPECT_EQ(config.comm.timeout, milliseconds(700));
  EXPECT_EQ(config.comm.channel, runtime::ChannelChoice::kMpi);
  EXPECT_EQ(config.dtype, "fp32");
  EXPECT_THAT(keys(config), ElementsAre("partition.reserve", "comm.channel", "runtime.in_flight"));
}

TEST(Merge, TakesAResidencyOfAutoBeforeTheFile) {
  RunOptions options;
  options.residency.emplace();
  EXPECT_EQ(merge(options, file()).partition.residency.transformer, std::nullopt);
}

TEST(Merge, KeepsTheStagesOfTheSameStrategy) {
  RunOptions options;
  options.strategy = Strategy::kExplicit;
  EXPECT_EQ(merge(options, file()).partition.stages.size(), 1U);
}

TEST(Merge, RefusesExplicitWithoutStages) {
  RunOptions options;
  options.strategy = Strategy::kExplicit;
  EXPECT_THROW(merge(options, {}), common::InputError);
}

class RunOptionsOfACommand : public ::testing::Test {
 protected:
  void SetUp() override { common::write_file_atomically(path(), kFile); }
  std::string path() const { return folder_.path() / "run.yaml"; }

  static Decompose parse(const std::vector<std::string>& more) {
    std::vector<const char*> words{"layerpipe", "decompose", "--model", "m",        "--image",
                                   "a.png",     "--out",     "o",       "--prompt", "a fox"};
    for (const std::string& word : more) words.push_back(word.c_str());
    return std::get<Decompose>(parse_command_line(static_cast<int>(words.size()), words.data()));
  }

  // "NAME = VALUES (SOURCE)" of the records about settings that a file can give.
  static std::vector<std::string> told(const Decompose& command) {
    std::vector<std::string> lines;
    for (const auto& record : command.records) {
      const bool of_an_option = record.name == "strategy" || record.name == "residency" ||
                                record.name == "timeout" || record.name == "dtype";
      if (!of_an_option && record.name.find('.') == std::string::npos) continue;
      std::string line = record.name + " =";
      for (const std::string& value : record.values) line += " " + value;
      lines.push_back(line + " (" + record.source + ")");
    }
    return lines;
  }

 private:
  layerpipe::testing::TemporaryFolder folder_;
};

TEST_F(RunOptionsOfACommand, AreDefaultsWhenNothingIsSaid) {
  const Decompose command = parse({});
  EXPECT_EQ(command.options.run_config.partition.strategy, Strategy::kBalanced);
  EXPECT_EQ(command.options.run_config.partition.memory_limit_bytes, std::nullopt);
  EXPECT_EQ(command.options.run_config.dtype, "");
  EXPECT_EQ(command.options.output.trace, std::nullopt);
  EXPECT_THAT(told(command), ElementsAre("dtype =  (default)", "strategy = balanced (default)",
                                         "residency = auto (default)", "timeout = 120s (default)"));
}

TEST_F(RunOptionsOfACommand, ComeFromTheFile) {
  const Decompose command = parse({"--partition", path()});
  EXPECT_EQ(command.options.run_config.partition.stages.size(), 1U);
  EXPECT_EQ(command.options.run_config.dtype, "bf16");
  EXPECT_THAT(told(command),
              ElementsAre("dtype = bf16 (config file)", "strategy = explicit (config file)",
                          "residency = transformer: resident vae: phased (config file)",
                          "timeout = 5s (config file)", "partition.reserve = 1GiB (config file)",
                          "partition.stages = {rank: 0, transformer: 0-3, text_encoder: 0-1, vae: 100%} "
                          "(config file)",
                          "comm.channel = mpi (config file)", "runtime.in_flight = 2 (config file)"));
}

TEST_F(RunOptionsOfACommand, GoBeforeTheFile) {
  const Decompose command =
      parse({"--partition", path(), "--strategy", "fastest", "--residency", "phased", "--memory-limit",
             "1.5GiB", "--timeout", "250ms", "--dtype", "fp32", "--trace", "t.json"});
  const runtime::RunConfig& config = command.options.run_config;
  EXPECT_EQ(config.partition.strategy, Strategy::kFastest);
  EXPECT_EQ(config.partition.residency.vae, Residency::kPhased);
  EXPECT_EQ(config.partition.memory_limit_bytes, std::uint64_t{3} << 29);
  EXPECT_EQ(config.comm.timeout, milliseconds(250));
  EXPECT_EQ(command.options.run_config.dtype, "fp32");
  EXPECT_EQ(command.options.output.trace, "t.json");
  EXPECT_THAT(told(command),
              ElementsAre("dtype = fp32 (command line)", "strategy = fastest (command line)",
                          "residency = phased (command line)", "timeout = 250ms (command line)",
                          "partition.reserve = 1GiB (config file)", "comm.channel = mpi (config file)",
                          "runtime.in_flight = 2 (config file)"));
}

}  // namespace
}  // namespace layerpipe::launch
