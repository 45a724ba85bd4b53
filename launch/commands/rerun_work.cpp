#include "launch/commands/rerun_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "common/errors.h"

namespace layerpipe::launch {
namespace {

using results::RecordedOption;
using results::RunRecord;

// Every option of decompose stands in one of these lists: tests/launch/rerun_test.cpp runs them all.
constexpr std::array<std::string_view, 8> kValues{"prompt", "negative-prompt", "layers",      "resolution",
                                                  "steps",  "cfg-scale",       "seed-device", "init-latents"};
constexpr std::array<std::string_view, 4> kFlags{"any-resolution", "cfg-normalize", "no-cfg",
                                                 "random-weights"};
// Known in another way (the picture, its seed, the dtype that was taken), or without a say in the bits.
constexpr std::array<std::string_view, 17> kOthers{
    "model",         "image",        "out",       "num-images",   "seed",     "format",
    "drop-empty",    "device",       "dtype",     "partition",    "strategy", "trace",
    "original-size", "dump-latents", "residency", "memory-limit", "timeout"};
constexpr std::string_view kQuiet = "quiet";

template <typename List>
bool is_in(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// Keys of a partition config ("partition.reserve") have a dot; of what they set, only the dtype has a say.
bool is_known(const std::string& name) {
  return is_in(kValues, name) || is_in(kFlags, name) || is_in(kOthers, name) || name == kQuiet ||
         name.find('.') != std::string::npos;
}

[[noreturn]] void refuse(const RunRecord& record, const RerunOptions& options, const std::string& what) {
  const std::string version = record.version("layerpipe");
  throw common::InputError(
      fmt::format("{}: {}", options.run.string(), what),
      version.empty() || version == LAYERPIPE_VERSION
          ? "Give a run.json as layerpipe decompose wrote it."
          : fmt::format("layerpipe {} wrote it, this is {}: take that one.", version, LAYERPIPE_VERSION));
}

void check(const RunRecord& record, const RerunOptions& options) {
  if (record.command != "decompose")
    refuse(record, options, fmt::format("\"command\" is {}, not decompose", record.command));
  for (const RecordedOption& option : record.options) {
    if (!is_known(option.name))
      refuse(record, options, fmt::format("\"options.{}\" is no option of layerpipe decompose", option.name));
  }
  if (record.layer_hashes.empty())
    refuse(record, options, "\"layer_hashes\" is missing, so there is nothing to compare with");
  const RecordedOption* layers = record.option("layers");
  if (layers != nullptr && layers->values.front() != std::to_string(record.layer_hashes.size())) {
    refuse(record, options,
           fmt::format("\"layer_hashes\" has {} entries, but \"options.layers\" is {}",
                       record.layer_hashes.size(), layers->values.front()));
  }
}

}  // namespace

std::vector<std::string> decompose_words(const RunRecord& record, const RerunOptions& options) {
  check(record, options);
  std::vector<std::string> words{"layerpipe", "decompose"};
  // With its value behind =, a text may begin with a dash; an empty one has to be a word of its own.
  const auto add = [&](std::string_view name, const std::string& value) {
    words.push_back(fmt::format("--{}{}{}", name, value.empty() ? "" : "=", value));
    if (value.empty()) words.emplace_back();
  };
  const auto is_on = [&](std::string_view flag) {
    const RecordedOption* option = record.option(flag);
    return option != nullptr && option->values.front() == "true";
  };
  add("model", options.model.empty() ? record.model_folder : options.model.string());
  add("image", options.image.empty() ? record.picture : options.image.string());
  // Nothing is written, but decompose needs a place.
  add("out", (options.run.parent_path() / ".").string());
  add("seed", std::to_string(record.seed));
  add("dtype", record.dtype);
  add("device", !options.device.empty() ? options.device : record.on_cpu() ? "cpu" : "cuda");
  for (const std::string_view flag : kFlags) {
    if (is_on(flag)) words.push_back(fmt::format("--{}", flag));
  }
  const bool is_guided = !is_on("no-cfg");
  for (const std::string_view name : kValues) {
    const RecordedOption* option = record.option(name);
    if (option == nullptr) continue;
    if (name == "init-latents" && option->values.front().empty()) continue;  // there were none
    if (!is_guided && (name == "cfg-scale" || name == "negative-prompt")) continue;
    add(name, option->values.front());
  }
  if (options.quiet) words.emplace_back("--quiet");
  return words;
}

}  // namespace layerpipe::launch
