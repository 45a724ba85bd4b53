#include "results/report.h"

#include <torch/headeronly/version.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/plan/plan_json.h"

namespace layerpipe::results {
namespace {

using Json = nlohmann::ordered_json;

enum class Paths { kWhole, kLastPart };

// A path may hold bytes that are not UTF-8; they become U+FFFD instead of an exception.
std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string path_text(const std::string& path, Paths paths) {
  if (paths == Paths::kWhole) return path;
  const auto parts = std::filesystem::path(path).lexically_normal();
  // "layers/" has an empty last part.
  return (parts.has_filename() ? parts : parts.parent_path()).filename().string();
}

Json size_json(const common::Size& size) {
  return {{"width", size.width}, {"height", size.height}};
}

Json versions_json(const RunOrigin& origin) {
  Json versions{{"layerpipe", origin.version}, {"torch", TORCH_VERSION}};
  if (origin.device.driver != 0) versions["cuda_driver"] = runtime::version_text(origin.device.driver);
  return versions;
}

Json device_json(const runtime::DeviceFacts& facts) {
  Json device{{"id", facts.device.str()}, {"name", facts.name}};
  if (facts.capability != 0) device["compute_capability"] = runtime::version_text(facts.capability, 10);
  return device;
}

Json make_origin(const RunOrigin& origin, const ResultRecord& result, Paths paths) {
  Json options = Json::object();
  for (const OptionRecord& option : origin.options) {
    Json values = Json::array();
    for (const std::string& value : option.values) {
      values.push_back(option.kind == OptionRecord::Kind::kPath ? path_text(value, paths) : value);
    }
    options[option.name] = {{"value", values.size() == 1 ? values[0] : values}, {"source", option.source}};
  }
  return {{"versions", versions_json(origin)},
          {"command", origin.command},
          {"options", std::move(options)},
          {"model",
           {{"folder", path_text(origin.model_folder, paths)},
            {"pipeline", origin.pipeline},
            {"fingerprint", origin.fingerprint}}},
          {"device", device_json(origin.device)},
          {"dtype", origin.dtype},
          {"picture", path_text(result.picture, paths)},
          {"picture_size", size_json(result.picture_size)},
          {"working_size", size_json(result.working_size)},
          {"layer_size", size_json(result.layer_size)},
          {"seed", result.seed}};
}

// "vae_encoder".
std::string key_of(partition::Network network) {
  std::string key = to_string(network);
  for (char& letter : key) {
    letter = letter == ' ' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return key;
}

// Something of every phase, under the phases' names.
template <typename Value>
Json by_phase(const partition::PerPhase<runtime::PhaseMetrics>& phases, Value value) {
  Json json = Json::object();
  for (const partition::Phase phase : partition::kPhases) json[to_string(phase)] = value(phases[phase]);
  return json;
}

// Null for a rank that has not told of one: that has no part in decoding.
Json peak_json(const runtime::PhaseMetrics& phase) {
  return phase.peak_bytes == 0 ? Json() : Json(phase.peak_bytes);
}

Json seconds_json(const partition::PerPhase<runtime::PhaseMetrics>& phases) {
  Json seconds = by_phase(phases, [](const runtime::PhaseMetrics& phase) { return phase.seconds; });
  seconds["load"] = by_phase(phases, [](const runtime::PhaseMetrics& phase) { return phase.load_seconds; });
  return seconds;
}

// Seconds of a stage while denoising: at work, waiting for others, and neither.
Json stage_json(const runtime::StageMetrics& stage) {
  return {{"seconds", stage.seconds},
          {"busy", stage.busy_seconds},
          {"wait", stage.wait_seconds},
          {"idle", std::max(0.0, stage.seconds - stage.busy_seconds - stage.wait_seconds)}};
}

Json ranks_json(const RunMetrics& figures) {
  Json ranks = Json::array();
  const std::size_t count = figures.plan.stages.size();
  for (std::size_t i = 0; i < count; ++i) {
    const partition::StagePlan& stage = figures.plan.stages[i];
    const runtime::RankMetrics& rank = figures.ranks.at(static_cast<std::size_t>(stage.rank));
    Json json{{"rank", stage.rank},
              {"host", stage.host},
              {"device", stage.device},
              {"stage", stage.stage},
              {"predicted_peak_bytes",
               {{"encode", stage.predicted_peak_bytes.encode},
                {"denoise", stage.predicted_peak_bytes.denoise},
                {"decode", stage.predicted_peak_bytes.decode}}},
              {"peak_bytes", by_phase(rank.phases, peak_json)},
              {"seconds", seconds_json(rank.phases)},
              {"denoise", stage_json(rank.stage)}};
    // When rank 0 writes a result, the others may still be decoding the next one.
    if (stage.rank != 0) json["seconds"]["decode"] = json["seconds"]["load"]["decode"] = nullptr;
    if (count > 1) {
      json["edge"] = {{"to_rank", figures.plan.stages[(i + 1) % count].rank},
                      {"messages", rank.to_next.messages},
                      {"bytes", rank.to_next.bytes},
                      {"wait", rank.to_next.wait_seconds}};
    }
    ranks.push_back(std::move(json));
  }
  return ranks;
}

}  // namespace

std::string origin_json(const RunOrigin& origin, const ResultRecord& result) {
  return dump(make_origin(origin, result, Paths::kLastPart), -1);
}

std::string report_json(const RunOrigin& origin, const ResultRecord& result, const RunMetrics& figures,
                        const WrittenFiles& written) {
  Json json = make_origin(origin, result, Paths::kWhole);
  const partition::PerPhase<runtime::PhaseMetrics>& phases = figures.ranks.at(0).phases;
  Json seconds = seconds_json(phases);
  seconds["steps"] = figures.step_seconds;
  Json weights = Json::object();
  for (const auto& [network, bytes] : figures.weight_bytes) weights[key_of(network)] = bytes;
  if (!figures.run_id.empty()) json["run_id"] = figures.run_id;
  json["seconds"] = std::move(seconds);
  json["memory"] = {
      {"weight_bytes", std::move(weights)},
      {"peak_bytes", by_phase(phases, [](const runtime::PhaseMetrics& phase) { return phase.peak_bytes; })},
      {"host_peak_bytes", figures.host_peak_bytes}};
  json["plan"] = Json::parse(runtime::plan_json(figures.plan));
  json["ranks"] = ranks_json(figures);
  json["picture_hash"] = result.picture_hash;
  json["layer_hashes"] = result.layer_hashes;
  json["empty_layers"] = written.empty_layers;
  json["files"] = written.files;
  return dump(json, 2) + "\n";
}

}  // namespace layerpipe::results
