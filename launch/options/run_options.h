// The options of a run that a YAML file can give as well: who holds what, and how it is computed.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "partition/partition_config.h"
#include "runtime/config/run_config.h"

namespace layerpipe::launch {

class OptionGroup;
class OptionValues;

// What the command line says; none where it says nothing.
struct RunOptions {
  std::optional<std::filesystem::path> partition;  // the YAML file
  std::optional<partition::Strategy> strategy;
  std::optional<partition::PerComponent<std::optional<partition::Residency>>> residency;
  std::optional<std::uint64_t> memory_limit_bytes;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<std::string> dtype;
};

// Adds --dtype, --partition, --strategy, --residency and --memory-limit.
void add_partition_options(const OptionGroup& group);
// These and --timeout.
void add_run_options(const OptionGroup& group);
// --timeout alone.
void add_timeout_option(const OptionGroup& group);

// Reads them. Throws InputError naming the option.
RunOptions read_partition_options(const OptionValues& values);
RunOptions read_run_options(const OptionValues& values);
std::optional<std::chrono::milliseconds> read_timeout(const OptionValues& values);

// Command line over file over default. What the command line overrides leaves `file_settings` as well: the
// stages with an explicit strategy, every component with a residency. Throws InputError when the strategy is
// explicit and there are no stages.
runtime::RunConfig merge(const RunOptions& options, runtime::RunConfig file);

// Reads the file, if there is one, and merges.
runtime::RunConfig make_run_config(const RunOptions& options);

// "strategy" for "partition.strategy": the option that sets the same as a key of the file; empty for a key
// that only a file can give.
std::string_view option_of(std::string_view key);

}  // namespace layerpipe::launch
