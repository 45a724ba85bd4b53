#include "runtime/config/run_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/errors.h"
#include "common/files.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::runtime {
namespace {

using common::Range;
using partition::Residency;
using partition::Strategy;
using ::testing::ElementsAre;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

RunConfig parse(std::string_view text) {
  return parse_run_config(text, "run.yaml");
}

// The example of docs: every key but the ones that are left to themselves.
constexpr const char* kExplicit = R"(
partition:
  strategy: explicit
  residency: {transformer: resident, text_encoder: phased, vae: auto}
  reserve: 1.5GiB
  stages:
    - {rank: 1, transformer: 0-19, text_encoder: 0-9,  vae: 33.5%}
    - {rank: 0, transformer: 20, vae: 0%}
    - rank: 2
      transformer: 21-59
      text_encoder: 10-27
      vae: 66.5%
comm:    {channel: mpi, timeout: 1500ms}
runtime: {dtype: bf16, in_flight: 3}
)";

TEST(RunConfig, ReadsEveryKey) {
  const RunConfig config = parse(kExplicit);
  const partition::PartitionConfig& partition = config.partition;
  EXPECT_EQ(partition.strategy, Strategy::kExplicit);
  EXPECT_EQ(partition.residency.transformer, Residency::kResident);
  EXPECT_EQ(partition.residency.text_encoder, Residency::kPhased);
  EXPECT_EQ(partition.residency.vae, std::nullopt);
  EXPECT_EQ(partition.reserve_bytes, 1536 * kMiB);
  EXPECT_EQ(partition.memory_limit_bytes, std::nullopt);
  EXPECT_EQ(partition.in_flight, 3);
  ASSERT_EQ(partition.stages.size(), 3U);
  EXPECT_EQ(partition.stages[0].rank, 1);
  EXPECT_EQ(partition.stages[0].blocks, (Range{0, 20}));
  EXPECT_EQ(partition.stages[0].text_layers, (Range{0, 10}));
  EXPECT_EQ(partition.stages[0].vae_percent, 33.5);
  EXPECT_EQ(partition.stages[1].rank, 0);
  EXPECT_EQ(partition.stages[1].blocks, (Range{20, 21}));
  EXPECT_EQ(partition.stages[1].text_layers.size(), 0);
  EXPECT_EQ(partition.stages[1].vae_percent, 0);
  EXPECT_EQ(partition.stages[2].blocks, (Range{21, 60}));
  EXPECT_EQ(partition.stages[2].text_layers, (Range{10, 28}));
  EXPECT_EQ(partition.stages[2].vae_percent, 66.5);
  EXPECT_EQ(config.comm.channel, ChannelChoice::kMpi);
  EXPECT_EQ(config.comm.timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(config.dtype, "bf16");
}

TEST(RunConfig, LeavesTheRestAtItsDefaults) {
  const RunConfig config = parse("runtime: {dtype: fp32}");
  EXPECT_EQ(config.dtype, "fp32");
  EXPECT_EQ(config.partition.strategy, Strategy::kBalanced);
  EXPECT_EQ(config.partition.residency, (partition::PerComponent<std::optional<Residency>>{}));
  EXPECT_EQ(config.partition.reserve_bytes, 512 * kMiB);
  EXPECT_EQ(config.partition.in_flight, std::nullopt);
  EXPECT_EQ(config.comm.channel, ChannelChoice::kAuto);
  EXPECT_EQ(config.comm.timeout, std::chrono::seconds(120));
  EXPECT_EQ(parse("comm: {timeout: 1s}").dtype, "");
}

TEST(RunConfig, TakesOneResidencyForAllComponents) {
  const auto residency = parse("partition: {residency: phased}").partition.residency;
  EXPECT_EQ(residency.transformer, Residency::kPhased);
  EXPECT_EQ(residency.text_encoder, Residency::kPhased);
  EXPECT_EQ(residency.vae, Residency::kPhased);
  EXPECT_EQ(parse("partition: {residency: auto}").partition.residency.vae, std::nullopt);
}

TEST(RunConfig, TellsWhatTheFileGives) {
  std::vector<std::string> told;
  for (const FileSetting& setting : parse(kExplicit).file_settings) {
    for (const std::string& value : setting.values) told.push_back(setting.key + " = " + value);
  }
  EXPECT_THAT(told,
              ElementsAre("partition.strategy = explicit", "partition.residency.transformer = resident",
                          "partition.residency.text_encoder = phased", "partition.residency.vae = auto",
                          "partition.reserve = 1.5GiB",
                          "partition.stages = {rank: 1, transformer: 0-19, text_encoder: 0-9, vae: 33.5%}",
                          "partition.stages = {rank: 0, transformer: 20, text_encoder: none, vae: 0%}",
                          "partition.stages = {rank: 2, transformer: 21-59, text_encoder: 10-27, vae: 66.5%}",
                          "comm.channel = mpi", "comm.timeout = 1500ms", "runtime.dtype = bf16",
                          "runtime.in_flight = 3"));
}

TEST(RunConfig, TakesWhatEditorsMakeOfAText) {
  const std::string text = "# déjà vu\t(a tab)\npartition:\n  strategy: \"fastest\"\ncomm: {timeout: 5s}\n";
  std::string windows = "\xEF\xBB\xBF";
  for (const char c : text) windows += c == '\n' ? "\r\n" : std::string(1, c);
  for (const std::string& variant :
       {text, windows, "---\n" + text, "%YAML 1.2\n---\n" + text + "...\n", text + "\n\n# the end"}) {
    const RunConfig config = parse(variant);
    EXPECT_EQ(config.partition.strategy, Strategy::kFastest) << variant;
    EXPECT_EQ(config.comm.timeout, std::chrono::seconds(5)) << variant;
  }
}

TEST(RunConfig, TakesBoundsOfRanges) {
  EXPECT_EQ(parse("runtime: {in_flight: 1000}").partition.in_flight, 1000);
  EXPECT_EQ(parse("runtime: {in_flight: auto}").partition.in_flight, std::nullopt);
  EXPECT_EQ(parse("comm: {timeout: 100ms}").comm.timeout, std::chrono::milliseconds(100));
  EXPECT_EQ(parse("comm: {timeout: 86400s}").comm.timeout, std::chrono::hours(24));
  EXPECT_EQ(parse("partition: {reserve: 0MiB}").partition.reserve_bytes, 0U);
  EXPECT_EQ(parse("partition: {reserve: 1024GiB}").partition.reserve_bytes, std::uint64_t{1} << 40);
  const auto thirds = parse(
      "partition: {strategy: explicit, stages: ["
      "{rank: 65535, transformer: 0, text_encoder: none, vae: 33.333333%}, "
      "{rank: 0, transformer: 1, text_encoder: 0-99999, vae: 33.333333%}, "
      "{rank: 7, transformer: 2-99999, vae: 33.333334%}]}");
  EXPECT_EQ(thirds.partition.stages[2].blocks, (Range{2, 100000}));
}

TEST(RunConfig, TakesAThousandStages) {
  std::string text = "partition:\n  strategy: explicit\n  stages:\n";
  for (int rank = 0; rank < 1000; ++rank) {
    const std::string unit = std::to_string(rank);
    text += "    - {rank: " + unit + ", transformer: " + unit + ", text_encoder: " + unit + ", vae: 0.1%}\n";
  }
  EXPECT_EQ(parse(text).partition.stages.size(), 1000U);
}

TEST(RunConfig, ReadsAFile) {
  const layerpipe::testing::TemporaryFolder folder;
  const auto path = folder.path() / "run.yaml";
  common::write_file_atomically(path, "partition: {strategy: fastest}\n");
  EXPECT_EQ(load_run_config(path).partition.strategy, Strategy::kFastest);
  common::write_file_atomically(path, "partition: {strategy: fast}\n");
  try {
    load_run_config(path);
    FAIL() << "accepted";
  } catch (const common::InputError& error) {
    EXPECT_EQ(error.what(), path.string() + ":1:23: strategy fast is not known");
  }
  EXPECT_THROW(load_run_config(folder.path() / "absent.yaml"), common::InputError);
  EXPECT_THROW(load_run_config(folder.path()), common::InputError);
}

TEST(RunConfig, KnowsItsKeys) {
  EXPECT_THAT(
      config_keys(),
      ElementsAre("partition.strategy", "partition.residency", "partition.reserve", "partition.stages",
                  "partition.residency.transformer", "partition.residency.text_encoder",
                  "partition.residency.vae", "partition.stages.rank", "partition.stages.transformer",
                  "partition.stages.text_encoder", "partition.stages.vae", "comm.channel", "comm.timeout",
                  "runtime.dtype", "runtime.in_flight"));
}

}  // namespace
}  // namespace layerpipe::runtime
