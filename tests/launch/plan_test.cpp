// `layerpipe plan` from outside: no GPU, no weights beyond their headers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "common/files.h"
#include "launch/terminal/plan_report.h"
#include "tests/launch/program.h"
#include "tests/support/model_copy.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::Outcome;
using layerpipe::testing::run_program;
using layerpipe::testing::small_model;
using layerpipe::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Outcome plan(const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"plan", "--model", small_model()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_program(arguments);
}

std::size_t widest_line(const std::string& text) {
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
  return widest;
}

TEST(Plan, TableGoesToStdout) {
  const Outcome outcome = plan({"--devices", "24GiB,12GiB", "--resolution", "1024"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(
      outcome.out,
      StartsWith(small_model().string() +
                 ": 4 layers at 1024 px, guidance, bf16\n"
                 "balanced; transformer resident, text encoder resident, VAE resident; 1 picture in the "
                 "pipeline at a time\n\n"
                 "rank  host       device      free   blocks    text    VAE  weights  encode denoise "
                 "decode   spare\n"
                 "   0  localhost  imagined   24.00        0       0   69 %  resident "));
  EXPECT_THAT(outcome.out,
              HasSubstr("\n   1  localhost  imagined   12.00        1       1   31 %  resident "));
  EXPECT_THAT(outcome.out, HasSubstr("\n all                        36.00        2       2  100 % "));
  EXPECT_THAT(outcome.out, HasSubstr("\nhost memory of localhost: 192.00 MiB\n"));
  for (const char* of_streams : {"GiB a step", "slowdown", "page cache"})
    EXPECT_THAT(outcome.out, Not(HasSubstr(of_streams)));
}

TEST(Plan, JsonHasTheKeysOfTheContract) {
  const Outcome outcome = plan({"--devices", "24GiB@165TFLOPS,12GiB", "--json"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(
      outcome.err,
      "--devices gives no speed for device 1, so the others' are not used, and times are not predicted\n");
  const auto json = nlohmann::json::parse(outcome.out);
  const auto keys = [](const nlohmann::json& object) {
    std::vector<std::string> names;
    for (const auto& [key, value] : object.items()) names.push_back(key);
    return names;
  };
  EXPECT_THAT(keys(json),
              ::testing::UnorderedElementsAre("fits", "strategy", "stages", "host_bytes", "page_cache_bytes",
                                              "predicted_step_seconds", "predicted_seconds"));
  EXPECT_EQ(json.at("fits"), true);
  EXPECT_EQ(json.at("strategy"), "balanced");
  ASSERT_EQ(json.at("stages").size(), 2U);
  const auto& stage = json.at("stages")[1];
  EXPECT_THAT(keys(stage), ::testing::UnorderedElementsAre(
                               "group", "stage", "rank", "host", "blocks", "text_layers", "vae_percent",
                               "residency", "predicted_peak_bytes", "missing_bytes", "bytes_per_step",
                               "bus_bytes_per_second_needed", "slowdown"));
  EXPECT_EQ(stage.at("bytes_per_step"), 0);
  EXPECT_EQ(stage.at("bus_bytes_per_second_needed"), 0);
  EXPECT_EQ(stage.at("slowdown"), 1);
  EXPECT_EQ(json.at("host_bytes"), nlohmann::json({{"localhost", 192 << 20}}));
  EXPECT_EQ(json.at("page_cache_bytes"), nlohmann::json({{"localhost", 0}}));
  EXPECT_EQ(stage.at("blocks"), nlohmann::json({1, 2}));
  EXPECT_EQ(stage.at("rank"), 1);
  EXPECT_EQ(stage.at("residency"), "resident");
  EXPECT_EQ(stage.at("missing_bytes"), 0);
  EXPECT_THAT(keys(stage.at("predicted_peak_bytes")),
              ::testing::UnorderedElementsAre("encode", "denoise", "decode"));
}

TEST(Plan, SpeedsCountWhenAllDevicesHaveOne) {
  const Outcome outcome = plan({"--devices", "24GiB@165TFLOPS,12GiB@80.5TFLOPS", "--json"});
  EXPECT_EQ(outcome.err, "");
  EXPECT_GT(nlohmann::json::parse(outcome.out).at("predicted_seconds"), 0);
  EXPECT_THAT(plan({"--devices", "24GiB,12GiB@80TFLOPS,12GiB", "--strategy", "fastest"}).err,
              StartsWith("--devices gives no speed for devices 0, 2, so "));
}

TEST(Plan, ExitsWith3WhenItDoesNotFitAndSaysWhatWould) {
  for (const bool as_json : {false, true}) {
    std::vector<std::string> arguments{"--devices", "600MiB"};
    if (as_json) arguments.emplace_back("--json");
    const Outcome outcome = plan(arguments);
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_THAT(outcome.err, StartsWith("layerpipe: the model does not fit: rank 0 lacks "));
    EXPECT_THAT(outcome.err, HasSubstr("\n  It would fit with "));
    if (as_json) {
      const auto json = nlohmann::json::parse(outcome.out);
      EXPECT_EQ(json.at("fits"), false);
      EXPECT_GT(json.at("stages")[0].at("missing_bytes"), 0);
    } else {
      EXPECT_THAT(outcome.out, HasSubstr("\nRank 0 (localhost) needs "));
      EXPECT_THAT(outcome.out, HasSubstr(" are missing.\n"));
    }
  }
}

TEST(Plan, ProposesTheFirstChangeThatHelps) {
  // Of the small model hardly anything but the context of a GPU takes memory, and that no change makes less.
  const Outcome limited = plan({"--devices", "24GiB", "--memory-limit", "600MiB"});
  EXPECT_EQ(limited.exit_code, 3);
  std::smatch limit;
  ASSERT_TRUE(std::regex_search(limited.err, limit,
                                std::regex(R"(\n  It would fit with --memory-limit ([\d.]+)GiB\.\n$)")))
      << limited.err;
  const auto with = [](double gib) {
    return plan({"--devices", "24GiB", "--memory-limit", fmt::format("{:.2f}GiB", gib)}).exit_code;
  };
  EXPECT_EQ(with(std::stod(limit[1])), 0) << limit[1];
  EXPECT_EQ(with(std::stod(limit[1]) - 0.01), 3) << limit[1];
}

// The published model on cards that do not hold its transformer.
class StreamedPlan : public ::testing::Test {
 protected:
  Outcome planned(const std::string& devices, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"plan",      "--model", model_,         "--random-weights",
                                       "--devices", devices,   "--resolution", "1024"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }
  const TemporaryFolder folder_;
  const std::filesystem::path model_ = layerpipe::testing::make_full_size_model(folder_.path() / "model");
};

TEST_F(StreamedPlan, SaysWhatItAsksOfTheBusAndOfMemory) {
  const Outcome outcome = planned("20GiB@165TFLOPS@25GB/s", {"--json"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  const auto json = nlohmann::json::parse(outcome.out);
  const auto& stage = json.at("stages")[0];
  const auto bytes = stage.at("bytes_per_step").get<std::uint64_t>();
  EXPECT_GT(bytes, std::uint64_t{4} << 30);
  EXPECT_LT(bytes, std::uint64_t{26} << 30);
  EXPECT_EQ(json.at("page_cache_bytes").at("localhost"), bytes);  // both branches share a pass
  EXPECT_EQ(json.at("host_bytes").at("localhost"), 192 << 20);
  EXPECT_EQ(stage.at("slowdown"), 1);
  const double needed = stage.at("bus_bytes_per_second_needed");
  EXPECT_GT(needed, 1e8);
  EXPECT_LT(needed, 25e9);
  const double step = json.at("predicted_step_seconds");
  EXPECT_NEAR(static_cast<double>(bytes) / needed, step, step * 0.01);
  // A bus with half of that makes it twice as long.
  const Outcome slow = planned(fmt::format("20GiB@165TFLOPS@{:.3f}GB/s", needed / 2e9), {"--json"});
  const auto slower = nlohmann::json::parse(slow.out);
  EXPECT_NEAR(slower.at("stages")[0].at("slowdown"), 2, 0.01);
  EXPECT_NEAR(slower.at("predicted_step_seconds"), 2 * step, 0.02 * step);
}

TEST_F(StreamedPlan, HasATableOfItsOwnForWhatStreams) {
  const Outcome outcome = planned("20GiB@25GB/s@165TFLOPS,40GiB@165TFLOPS");
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, Not(HasSubstr("page cache")));  // all of it fits on two
  const Outcome streamed = planned("20GiB@25GB/s@165TFLOPS", {"--num-images", "2"});
  EXPECT_EQ(streamed.err, "");
  EXPECT_TRUE(std::regex_search(
      streamed.out,
      std::regex(
          R"(\nrank  streams +GiB a step  GB/s needed  slowdown\n   0  \d\d of 60 blocks +\d+\.\d\d +\d+\.\d\d +1\.00\n)")))
      << streamed.out;
  EXPECT_TRUE(
      std::regex_search(streamed.out, std::regex(R"(\npage cache of localhost: [\d.]+ GiB beside it, )")))
      << streamed.out;
  EXPECT_TRUE(std::regex_search(
      streamed.out,
      std::regex(R"(\na step of one picture takes [\d.]+ s, [^,]+ for each picture, all of it [^,]+\n)")))
      << streamed.out;
  const std::size_t table = streamed.out.find("rank  streams");
  EXPECT_LE(widest_line(streamed.out.substr(table, streamed.out.find("\n\n", table) - table)), 110U);
}

TEST_F(StreamedPlan, SaysHowToNameTheSpeedsThatItDoesNotKnow) {
  for (const char* devices : {"12GiB", "12GiB@165TFLOPS", "12GiB@25GB/s"}) {
    const Outcome outcome = planned(devices, {"--json"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.err,
              "weights stream through device 0, and how long that takes is not known: name how fast a device "
              "computes and how fast weights come to it behind its size, such as 24GiB@165TFLOPS@25GB/s\n");
    const auto json = nlohmann::json::parse(outcome.out);
    EXPECT_EQ(json.at("stages")[0].at("slowdown"), nullptr);
    EXPECT_EQ(json.at("predicted_step_seconds"), nullptr);
  }
  EXPECT_EQ(planned("24GiB@165TFLOPS@25GB/s").err, "");
  EXPECT_THAT(planned("12GiB").out, HasSubstr(" ?         ?\n"));
}

// The reserve takes most of a small memory, or all of it; with the one that is proposed, the plan fits.
TEST(Plan, ProposesASmallerReserveThatHelps) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "p.yaml";
  int proposed = 0;
  std::string smallest;
  for (int mib = 1100; mib >= 100; mib -= 100) {
    const std::string devices = std::to_string(mib) + "MiB";
    const Outcome outcome = plan({"--devices", devices});
    if (outcome.exit_code == 0) continue;
    EXPECT_THAT(outcome.out, HasSubstr(" free, since the reserve is to keep 512.00 MiB free: ")) << devices;
    std::smatch reserve;
    const std::regex form(
        R"(It would fit with (partition: \{reserve: \d+MiB\}) in the file of --partition, or)");
    if (!std::regex_search(outcome.err, reserve, form)) continue;
    ++proposed;
    smallest = devices;
    common::write_file_atomically(file, reserve[1].str() + "\n");
    const Outcome followed = plan({"--devices", devices, "--partition", file});
    EXPECT_EQ(followed.exit_code, 0) << devices << ": " << reserve[1] << ": " << followed.err;
  }
  EXPECT_GE(proposed, 2) << smallest;
  const Outcome large = plan({"--devices", "24GiB", "--memory-limit", "4GiB"});
  EXPECT_EQ(large.exit_code, 0) << "the model fits where the reserve takes little";
}

TEST(Plan, ReadsAPartitionFile) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "p.yaml";
  common::write_file_atomically(file,
                                "partition:\n"
                                "  strategy: explicit\n"
                                "  residency: {transformer: resident, text_encoder: phased, vae: resident}\n"
                                "  stages:\n"
                                "    - {rank: 0, transformer: 0-0, text_encoder: 0-1, vae: 25%}\n"
                                "    - {rank: 1, transformer: 1-1, vae: 75%}\n");
  const Outcome outcome = plan({"--devices", "24GiB,12GiB", "--partition", file, "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("strategy"), "explicit");
  const auto& stage = json.at("stages")[0];
  EXPECT_EQ(stage.at("text_layers"), nlohmann::json({0, 2}));
  EXPECT_EQ(stage.at("vae_percent"), 25);
  EXPECT_EQ(stage.at("residency"),
            nlohmann::json({{"transformer", "resident"}, {"text_encoder", "phased"}, {"vae", "resident"}}));
}

TEST(Plan, TakesTheDevicesOfTheMachineWithoutAList) {
  const Outcome outcome = plan({"--resolution", "64", "--any-resolution", "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_GE(json.at("stages").size(), 1U);
  ASSERT_EQ(json.at("host_bytes").size(), 1U);
  EXPECT_GT(json.at("host_bytes").front(), 0);  // on a CPU as well
}

struct Cards {
  const char* config;
  const char* devices;  // what cards of the sizes in its name have free
  const char* resolution;
};

class PlanOfConfig : public ::testing::TestWithParam<Cards> {};

TEST_P(PlanOfConfig, FitsTheCardsInItsName) {
  const TemporaryFolder folder;
  const auto model = layerpipe::testing::make_full_size_model(folder.path() / "model");
  const auto config = std::filesystem::path(LAYERPIPE_CONFIGS) / GetParam().config;
  const Outcome outcome =
      run_program({"plan", "--model", model, "--random-weights", "--resolution", GetParam().resolution,
                   "--partition", config, "--devices", GetParam().devices, "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto plan = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(plan.at("fits"), true);
  for (const auto& stage : plan.at("stages")) EXPECT_EQ(stage.at("missing_bytes"), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Configs, PlanOfConfig,
    ::testing::Values(Cards{"2x24gb.yaml", "22.3GiB,22.3GiB", "1024"},
                      Cards{"3x24gb.yaml", "22.3GiB,22.3GiB,22.3GiB", "1024"},
                      Cards{"4x16gb.yaml", "15.5GiB,15.5GiB,15.5GiB,15.5GiB", "1024"},
                      Cards{"24-12-12.yaml", "22.3GiB,11.2GiB,11.2GiB", "1024"},
                      Cards{"8x24gb.yaml", "22.3GiB,22.3GiB,22.3GiB,22.3GiB,22.3GiB,22.3GiB,22.3GiB,22.3GiB",
                            "1024"}),
    [](const auto& info) {
      std::string name = info.param.config;
      name.resize(name.find('.'));
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(DeviceNotes, SayWhereOthersHoldMemory) {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  const std::vector<partition::DeviceInfo> devices = {
      {.rank = 0, .total_bytes = 24 * kGiB, .free_bytes = 23 * kGiB},
      {.rank = 1, .total_bytes = 24 * kGiB, .free_bytes = 9 * kGiB},
      {.rank = 2, .total_bytes = 12 * kGiB, .free_bytes = 12 * kGiB}};
  EXPECT_EQ(device_notes(devices, at::kCUDA),
            "rank 1: 15.00 GiB of the 24.00 GiB of its GPU are held by other programs\n");
  EXPECT_EQ(device_notes(devices, at::kCPU), "");
}

TEST(DeviceNotes, SayHowFastWeightsComeWhereThatWasMeasured) {
  const std::vector<partition::DeviceInfo> devices = {{.rank = 0, .load_bytes_per_second = 24.46e9},
                                                      {.rank = 1, .load_bytes_per_second = 22.1e9}};
  EXPECT_EQ(device_notes(devices, at::kCUDA), "loading, measured from memory: 22.1GB/s\n");
}

TEST(PlanTable, ComparesHostMemoryWithWhatIsFree) {
  partition::Plan plan{.fits = true};
  plan.hosts = {{.host = "node1", .ranks = {0}, .predicted_bytes = 3 << 20, .budget_bytes = 9 << 20},
                {.host = "node2", .ranks = {1}, .predicted_bytes = 1 << 20, .cache_bytes = 5 << 20}};
  EXPECT_THAT(
      plan_table(plan, {.model = "m", .work = "w"}),
      HasSubstr("\nhost memory of node1: 3.00 MiB of 9.00 MiB free\n"
                "host memory of node2: 1.00 MiB\n"
                "page cache of node2: 5.00 MiB beside it, so that no weight is read from the disk again\n"));
}

TEST(DeviceNotes, SayHowFastTheDevicesAre) {
  std::vector<partition::DeviceInfo> devices = {{.rank = 0, .operations_per_second = 612.3e12},
                                                {.rank = 1, .operations_per_second = 598.6e12}};
  EXPECT_EQ(device_notes(devices, at::kCUDA), "speed, measured with a block: 599TFLOPS to 612TFLOPS\n");
  devices[1].operations_per_second = 612.1e12;
  EXPECT_EQ(device_notes(devices, at::kCUDA), "speed, measured with a block: 612TFLOPS\n");
  devices[1].operations_per_second = 0;
  EXPECT_EQ(device_notes(devices, at::kCUDA),
            "speed, measured with a block: 612TFLOPS\n"
            "rank 1: too little memory is free to measure its speed, so times are not predicted\n");
  devices[0].operations_per_second = 0.0583e12;
  EXPECT_EQ(device_notes({devices.data(), 1}, at::kCPU), "speed, measured with a block: 0.0583TFLOPS\n");
}

TEST(PlanTable, IsNeverWiderThan110Columns) {
  partition::Plan plan{.fits = false, .residency = {.text_encoder = partition::Residency::kPhased}};
  partition::StagePlan stage{.rank = 9999,
                             .host = "a-host-with-a-long-name.example.org",
                             .device = "NVIDIA GeForce RTX 4090 Laptop GPU",
                             .blocks = {1000, 1060},
                             .text_layers = {100, 128},
                             .vae_percent = 100,
                             .free_bytes = std::uint64_t{1} << 60};
  stage.predicted_peak_bytes = {std::uint64_t{1} << 60, std::uint64_t{1} << 60, std::uint64_t{1} << 60};
  plan.stages = {stage, stage};
  EXPECT_LE(widest_line(plan_table(plan, {.model = "m", .work = "w", .notes = {}})), 110U);
}

}  // namespace
}  // namespace layerpipe::launch
