#include "launch/options/run_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "common/errors.h"
#include "common/units.h"
#include "launch/options/option_values.h"
#include "runtime/config/words.h"
#include "session/option_text.h"

namespace layerpipe::launch {
namespace {

constexpr std::uint64_t kSmallestLimit = std::uint64_t{1} << 20;
constexpr std::uint64_t kLargestLimit = std::uint64_t{1} << 40;

// Every key that an option sets as well, and that option.
constexpr std::pair<std::string_view, std::string_view> kOptionsOfKeys[] = {
    {"partition.strategy", "strategy"},
    {"partition.residency", "residency"},
    {"comm.timeout", "timeout"},
    {"runtime.dtype", "dtype"}};

template <typename T, std::size_t count>
std::vector<std::string> choices_of(const runtime::Word<T> (&words)[count]) {
  std::vector<std::string> choices;
  for (const auto& word : words) choices.emplace_back(word.word);
  return choices;
}

template <typename T, std::size_t count>
std::optional<T> read_word(const OptionValues& values, const std::string& option,
                           const runtime::Word<T> (&words)[count]) {
  if (!values.given(option)) return std::nullopt;
  std::string choice;
  const std::vector<std::string> choices = choices_of(words);
  values.read_choice(option, choice, choices);
  const auto found = std::find(choices.begin(), choices.end(), choice) - choices.begin();
  return words[found].value;
}

void forget(runtime::RunConfig& config, std::string_view key) {
  std::erase_if(config.file_settings, [&](const runtime::FileSetting& setting) {
    return setting.key == key || (setting.key.starts_with(key) && setting.key[key.size()] == '.');
  });
}

}  // namespace

void add_partition_options(const OptionGroup& group) {
  group.add(
      "--dtype", "DTYPE",
      "Precision, bf16, fp32, or fp8: bf16 with most of the transformer's matrices in 8 bits [default: bf16 "
      "on a GPU, fp32 on a CPU]");
  group.add("--partition", "FILE", "YAML file with these and further settings; configs/ has examples");
  group
      .add("--strategy", "STRATEGY",
           "Who gets how much: balanced (by free memory), fastest, or explicit (the stages in --partition)")
      .default_text("balanced");
  group
      .add("--residency", "RESIDENCY",
           "Weights on the device: resident (always), phased (while needed), streamed (as many as fit, the "
           "others pass through), or auto: the fastest that fits")
      .default_text("auto");
  group.add("--memory-limit", "SIZE", "Use no more than this of any device, such as 12GiB");
}

void add_run_options(const OptionGroup& group) {
  add_partition_options(group);
  add_timeout_option(group);
}

void add_timeout_option(const OptionGroup& group) {
  group.add("--timeout", "TIME", "Give up when another rank has been silent for so long")
      .default_text("120s");
}

RunOptions read_partition_options(const OptionValues& values) {
  RunOptions options;
  if (values.given("--partition")) values.read_path("--partition", options.partition.emplace());
  options.strategy = read_word(values, "--strategy", runtime::kStrategyWords);
  if (const auto all = read_word(values, "--residency", runtime::kResidencyWords)) {
    options.residency = partition::for_all(*all);
  }
  values.read_size("--memory-limit", options.memory_limit_bytes, kSmallestLimit, kLargestLimit);
  if (const auto dtype = read_word(values, "--dtype", runtime::kDtypeWords)) options.dtype = *dtype;
  return options;
}

RunOptions read_run_options(const OptionValues& values) {
  RunOptions options = read_partition_options(values);
  options.timeout = read_timeout(values);
  return options;
}

std::optional<std::chrono::milliseconds> read_timeout(const OptionValues& values) {
  std::optional<std::chrono::milliseconds> timeout;
  values.read_duration("--timeout", timeout, runtime::kShortestTimeout, runtime::kLongestTimeout);
  return timeout;
}

void check_dtype(const std::string& dtype) {
  const std::string option = "--dtype";
  session::read_choice({option, dtype, option}, choices_of(runtime::kDtypeWords));
}

runtime::RunConfig merge(const RunOptions& options, runtime::RunConfig file) {
  runtime::RunConfig config = std::move(file);
  partition::PartitionConfig& partition = config.partition;
  if (options.strategy) {
    partition.strategy = *options.strategy;
    forget(config, "partition.strategy");
    if (partition.strategy != partition::Strategy::kExplicit) {
      partition.stages.clear();
      forget(config, "partition.stages");
    }
  }
  if (options.residency) {
    partition.residency = *options.residency;
    forget(config, "partition.residency");
  }
  if (options.memory_limit_bytes) partition.memory_limit_bytes = options.memory_limit_bytes;
  if (options.timeout) {
    config.comm.timeout = *options.timeout;
    forget(config, "comm.timeout");
  }
  if (options.dtype) {
    config.dtype = *options.dtype;
    forget(config, "runtime.dtype");
  }
  if (partition.strategy == partition::Strategy::kExplicit && partition.stages.empty()) {
    throw common::InputError(
        options.partition
            ? fmt::format("--strategy explicit needs stages, and {} has none", options.partition->string())
            : "--strategy explicit needs a file with the stages",
        "Give one with --partition; configs/ has examples.");
  }
  return config;
}

runtime::RunConfig make_run_config(const RunOptions& options) {
  return merge(options,
               options.partition ? runtime::load_run_config(*options.partition) : runtime::RunConfig());
}

std::string_view option_of(std::string_view key) {
  for (const auto& [of_file, option] : kOptionsOfKeys) {
    if (key == of_file || (key.starts_with(of_file) && key[of_file.size()] == '.')) return option;
  }
  return {};
}

}  // namespace layerpipe::launch
