// The files in configs/, and whether their README tells what the reader takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <sstream>

#include "common/files.h"
#include "runtime/config/run_config.h"

namespace layerpipe::runtime {
namespace {

// The blocks of the published model.
constexpr std::int64_t kBlocks = 60;
constexpr std::int64_t kTextLayers = 28;

std::filesystem::path configs() {
  return LAYERPIPE_CONFIGS;
}

std::vector<std::string> names_with(const std::string& extension) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(configs())) {
    if (entry.path().extension() == extension) names.push_back(entry.path().filename());
  }
  return names;
}

// The cells of every line of the README's tables that begins with a word in backquotes, by that word.
std::map<std::string, std::vector<std::string>> readme_rows() {
  std::map<std::string, std::vector<std::string>> rows;
  std::istringstream readme(common::read_text_file(configs() / "README.md"));
  for (std::string line; std::getline(readme, line);) {
    std::smatch name;
    if (!std::regex_search(line, name, std::regex("^\\| `([^`]*)` \\|"))) continue;
    std::istringstream rest(name.suffix());
    auto& cells = rows[name[1]];
    for (std::string cell; std::getline(rest, cell, '|');) {
      cells.push_back(std::regex_replace(cell, std::regex("^ *`?|`? *$"), ""));
    }
  }
  return rows;
}

class Configs : public ::testing::TestWithParam<std::string> {};

TEST_P(Configs, AreTaken) {
  const RunConfig config = load_run_config(configs() / GetParam());
  const auto& stages = config.partition.stages;
  if (config.partition.strategy != partition::Strategy::kExplicit) return;
  ASSERT_FALSE(stages.empty());
  EXPECT_EQ(stages.back().blocks.end, kBlocks);
  EXPECT_EQ(stages.back().text_layers.end, kTextLayers);
  for (std::size_t i = 0; i < stages.size(); ++i) EXPECT_EQ(stages[i].rank, static_cast<int>(i));
}

INSTANTIATE_TEST_SUITE_P(Files, Configs, ::testing::ValuesIn(names_with(".yaml")), [](const auto& info) {
  return std::regex_replace(info.param, std::regex("[^a-z0-9]"), "_");
});

TEST(ConfigsReadme, ListsEveryFile) {
  const auto rows = readme_rows();
  std::size_t files = 0;
  for (const std::string& name : names_with(".yaml")) EXPECT_TRUE(rows.contains(name)) << name;
  for (const auto& [name, cells] : rows) files += name.ends_with(".yaml") ? 1 : 0;
  EXPECT_EQ(files, names_with(".yaml").size());
}

TEST(ConfigsReadme, ListsEveryKey) {
  std::vector<std::string> listed;
  for (const auto& [name, cells] : readme_rows()) {
    if (!name.ends_with(".yaml")) listed.push_back(name);
  }
  EXPECT_THAT(listed, ::testing::UnorderedElementsAreArray(config_keys()));
}

// A file that says each default gives what no file gives.
TEST(ConfigsReadme, TellsTheDefaults) {
  const auto rows = readme_rows();
  const auto otherwise = [&](const std::string& key) { return rows.at(key).at(1); };
  const RunConfig said = parse_run_config(
      "partition: {strategy: " + otherwise("partition.strategy") +
          ", residency: {transformer: " + otherwise("partition.residency.transformer") +
          ", text_encoder: " + otherwise("partition.residency.text_encoder") +
          ", vae: " + otherwise("partition.residency.vae") + "}, reserve: " + otherwise("partition.reserve") +
          "}\ncomm: {channel: " + otherwise("comm.channel") + ", timeout: " + otherwise("comm.timeout") +
          "}\nruntime: {in_flight: " + otherwise("runtime.in_flight") + "}\n",
      "README.md");
  const RunConfig silent;
  EXPECT_EQ(said.partition.strategy, silent.partition.strategy);
  EXPECT_EQ(said.partition.residency, silent.partition.residency);
  EXPECT_EQ(otherwise("partition.residency"), "auto");
  EXPECT_EQ(said.partition.reserve_bytes, silent.partition.reserve_bytes);
  EXPECT_EQ(said.partition.in_flight, silent.partition.in_flight);
  EXPECT_EQ(said.comm.channel, silent.comm.channel);
  EXPECT_EQ(said.comm.timeout, silent.comm.timeout);
}

TEST(ConfigsHostfile, NamesHostsAndSlots) {
  for (const std::string& name : names_with(".hostfile")) {
    std::istringstream file(common::read_text_file(configs() / name));
    int hosts = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with('#')) continue;
      EXPECT_TRUE(std::regex_match(line, std::regex("[a-z0-9.-]+ slots=[1-9][0-9]*"))) << line;
      ++hosts;
    }
    EXPECT_GE(hosts, 2) << name;
  }
}

}  // namespace
}  // namespace layerpipe::runtime
