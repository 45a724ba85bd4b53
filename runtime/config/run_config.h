// The settings of a run that a YAML file gives: who holds what, how it travels, how it is computed.
// docs: configs/README.md. Nothing here knows of devices or of a model, so what only they can tell (a rank
// that there is not, a block beyond the last one) is left to the partitioner.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "partition/partition_config.h"
#include "runtime/config/words.h"

namespace layerpipe::runtime {

inline constexpr std::chrono::milliseconds kShortestTimeout{100};
inline constexpr std::chrono::hours kLongestTimeout{24};

struct CommConfig {
  ChannelChoice channel = ChannelChoice::kAuto;
  std::chrono::milliseconds timeout{120000};  // of every wait for another rank
};

// A key that the file gives and its value, for run.json.
struct FileSetting {
  std::string key;                  // "partition.strategy"
  std::vector<std::string> values;  // one; of partition.stages, one for each stage
};

struct RunConfig {
  partition::PartitionConfig partition;
  CommConfig comm;
  std::string dtype;                       // "bf16", "fp32"; empty: bf16 on a GPU, fp32 on a CPU
  std::vector<FileSetting> file_settings;  // in the order of config_keys()
};

// Reads a file. Throws InputError "FILE:LINE:COLUMN: what is wrong", with what was expected as its remedy;
// lines and columns count from 1, columns in characters. Whatever the file holds, that takes less than a
// tenth of a second and of a GiB.
RunConfig load_run_config(const std::filesystem::path& path);

// The same for a text; `name` is what messages call it.
RunConfig parse_run_config(std::string_view text, const std::string& name);

// Every key that the reader knows: "partition.residency.vae", "partition.stages.rank".
std::vector<std::string> config_keys();

}  // namespace layerpipe::runtime
