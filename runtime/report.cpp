#include "runtime/report.h"

#include <torch/headeronly/version.h>

#include <nlohmann/json.hpp>

#include "common/files.h"

namespace layerpipe::runtime {
namespace {

using Json = nlohmann::ordered_json;

enum class Paths { kWhole, kLastPart };

// A path may hold bytes that are not UTF-8; they become U+FFFD instead of an exception.
std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string path_text(const std::string& path, Paths paths) {
  return paths == Paths::kWhole ? path : std::filesystem::path(path).filename().string();
}

Json size_json(const PixelSize& size) {
  return {{"width", size.width}, {"height", size.height}};
}

Json versions_json(const RunOrigin& origin) {
  Json versions{{"layerpipe", origin.version}, {"torch", TORCH_VERSION}};
  if (origin.device.driver != 0) versions["cuda_driver"] = version_text(origin.device.driver);
  return versions;
}

Json device_json(const DeviceFacts& facts) {
  Json device{{"id", facts.device.str()}, {"name", facts.name}};
  if (facts.capability != 0) device["compute_capability"] = version_text(facts.capability, 10);
  return device;
}

Json make_origin(const RunOrigin& origin, const ResultRecord& result, Paths paths) {
  Json options = Json::object();
  for (const OptionRecord& option : origin.options) {
    const bool path = option.kind == OptionRecord::Kind::kPath;
    options[option.name] = {{"value", path ? path_text(option.value, paths) : option.value},
                            {"source", option.source}};
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

// Something of every phase, under the phases' names.
template <typename Value>
Json by_phase(const PerPhase<PhaseFigures>& phases, Value value) {
  Json json = Json::object();
  for (const Phase phase : kPhases) json[to_string(phase)] = value(phases[phase]);
  return json;
}

}  // namespace

std::string origin_json(const RunOrigin& origin, const ResultRecord& result) {
  return dump(make_origin(origin, result, Paths::kLastPart), -1);
}

void write_report(const std::filesystem::path& path, const RunOrigin& origin, const ResultRecord& result,
                  const RunFigures& figures, const std::vector<std::string>& files) {
  Json json = make_origin(origin, result, Paths::kWhole);
  Json seconds = by_phase(figures.phases, [](const PhaseFigures& phase) { return phase.seconds; });
  seconds["load"] = by_phase(figures.phases, [](const PhaseFigures& phase) { return phase.load_seconds; });
  seconds["steps"] = figures.step_seconds;
  Json weights = Json::object();
  for (const auto& [network, bytes] : figures.weight_bytes) weights[to_string(network)] = bytes;
  json["seconds"] = std::move(seconds);
  json["memory"] = {
      {"weight_bytes", std::move(weights)},
      {"peak_bytes", by_phase(figures.phases, [](const PhaseFigures& phase) { return phase.peak_bytes; })},
      {"host_peak_bytes", figures.host_peak_bytes}};
  json["files"] = files;
  common::write_file_atomically(path, dump(json, 2) + "\n");
}

}  // namespace layerpipe::runtime
