#include "runtime/config/run_config.h"

#include <fmt/format.h>

#include <iterator>

#include "common/files.h"
#include "runtime/config/fields.h"
#include "runtime/config/stages.h"
#include "runtime/config/yaml_document.h"

namespace layerpipe::runtime {
namespace {

using partition::PartitionConfig;
using partition::Residency;
using partition::Strategy;

constexpr std::uint64_t kLargestReserve = std::uint64_t{1} << 40;
constexpr std::int64_t kMostInFlight = 1000;

constexpr std::string_view kTopKeys[] = {"partition", "comm", "runtime"};
constexpr std::string_view kPartitionKeys[] = {"strategy", "residency", "reserve", "stages"};
constexpr std::string_view kResidencyKeys[] = {"transformer", "text_encoder", "vae"};  // as kComponents
constexpr std::string_view kCommKeys[] = {"channel", "timeout"};
constexpr std::string_view kRuntimeKeys[] = {"dtype", "in_flight"};

// Reads a file's sections into a RunConfig, and notes what the file gives.
class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  RunConfig read(const YamlNode& root) {
    if (root.kind == YamlNode::Kind::kNothing) {
      refuse_at(file_, {}, "there is nothing in it",
                "The keys of a partition config are partition, comm and runtime.");
    }
    const Mapping top(file_, "a partition config", root, kTopKeys);
    if (const auto section = top.find("partition")) read_partition(section_of(*section, kPartitionKeys));
    if (const auto section = top.find("comm")) read_comm(section_of(*section, kCommKeys));
    if (const auto section = top.find("runtime")) read_runtime(section_of(*section, kRuntimeKeys));
    return std::move(config_);
  }

 private:
  Mapping section_of(const Field& field, std::span<const std::string_view> keys) const {
    if (field.value().kind == YamlNode::Kind::kNothing) {
      field.refuse_whole(field.key() + " has no value",
                         fmt::format("The keys of {} are {}.", field.key(), listed(keys, "and")));
    }
    return Mapping(file_, field.key(), field.value(), keys);
  }

  void note(const std::string& key, std::vector<std::string> values) {
    config_.file_settings.push_back({key, std::move(values)});
  }
  void note(const std::string& key, const Field& field) { note(key, {field.value().text}); }

  void read_partition(const Mapping& section) {
    PartitionConfig& partition = config_.partition;
    const auto strategy = section.find("strategy");
    if (strategy) {
      partition.strategy = strategy->choice(kStrategyWords);
      note("partition.strategy", *strategy);
    }
    if (const auto residency = section.find("residency")) read_residency(*residency);
    if (const auto reserve = section.find("reserve")) {
      partition.reserve_bytes = reserve->size(kLargestReserve);
      note("partition.reserve", *reserve);
    }
    const auto stages = section.find("stages");
    if (stages) read_stages_of(*stages);
    if (strategy && !stages && partition.strategy == Strategy::kExplicit) {
      strategy->refuse("needs stages",
                       "Write them below it: stages, and a list with {rank: 0, transformer: 0-59, "
                       "text_encoder: 0-27, vae: 100%} for every rank.");
    }
  }

  void read_stages_of(const Field& stages) {
    if (config_.partition.strategy != Strategy::kExplicit) {
      stages.refuse_whole("stages are given, but the strategy is not explicit",
                          "Write strategy: explicit, or remove the stages.");
    }
    config_.partition.stages = read_stages(file_, stages);
    std::vector<std::string> texts;
    for (const auto& stage : config_.partition.stages) texts.push_back(stage_text(stage));
    note("partition.stages", std::move(texts));
  }

  // One word for all components, or one for each.
  void read_residency(const Field& field) {
    auto& residency = config_.partition.residency;
    const std::string key = "partition.residency";
    if (field.value().kind != YamlNode::Kind::kMapping) {
      residency = partition::for_all(field.choice(kResidencyWords));
      return note(key, field);
    }
    const Mapping components(file_, "residency", field.value(), kResidencyKeys);
    for (std::size_t i = 0; i < std::size(kResidencyKeys); ++i) {
      const auto component = components.find(kResidencyKeys[i]);
      if (!component) continue;
      const auto chosen = component->choice(kResidencyWords);
      if (partition::kComponents[i] == partition::Component::kVae && chosen == Residency::kStreamed) {
        component->refuse_whole("vae streamed: the VAE is small, and does not stream",
                                "Take auto, resident or phased.");
      }
      residency[partition::kComponents[i]] = chosen;
      note(key + "." + component->key(), *component);
    }
  }

  void read_comm(const Mapping& section) {
    if (const auto channel = section.find("channel")) {
      config_.comm.channel = channel->choice(kChannelWords);
      note("comm.channel", *channel);
    }
    if (const auto timeout = section.find("timeout")) {
      config_.comm.timeout = timeout->duration(kShortestTimeout, kLongestTimeout);
      note("comm.timeout", *timeout);
    }
  }

  void read_runtime(const Mapping& section) {
    if (const auto dtype = section.find("dtype")) {
      config_.dtype = dtype->choice(kDtypeWords);
      note("runtime.dtype", *dtype);
    }
    if (const auto in_flight = section.find("in_flight")) {
      if (in_flight->text("Take auto, or give the number of requests, such as 3.") != "auto") {
        config_.partition.in_flight = in_flight->whole_number(1, kMostInFlight);
      }
      note("runtime.in_flight", *in_flight);
    }
  }

  const std::string& file_;
  RunConfig config_;
};

}  // namespace

RunConfig load_run_config(const std::filesystem::path& path) {
  return parse_run_config(common::read_text_file(path), path.string());
}

RunConfig parse_run_config(std::string_view text, const std::string& name) {
  return Reader(name).read(parse_yaml(text, name));
}

std::vector<std::string> config_keys() {
  std::vector<std::string> keys;
  const auto add = [&](const std::string& section, std::span<const std::string_view> names) {
    for (const std::string_view name : names) keys.push_back(section + "." + std::string(name));
  };
  add("partition", kPartitionKeys);
  add("partition.residency", kResidencyKeys);
  add("partition.stages", kStageKeys);
  add("comm", kCommKeys);
  add("runtime", kRuntimeKeys);
  return keys;
}

}  // namespace layerpipe::runtime
