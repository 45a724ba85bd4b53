// The writing half of results/run_record.h.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "results/run_record.h"

namespace layerpipe::results {
namespace {

using Json = nlohmann::ordered_json;

enum class Paths { kWhole, kLastPart };

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string path_text(const std::string& path, Paths paths) {
  return paths == Paths::kWhole ? path : last_part(path);
}

Json size_json(const common::Size& size) {
  return {{"width", size.width}, {"height", size.height}};
}

Json device_json(const RunRecord& record) {
  Json device{{"id", record.device_id}, {"name", record.device_name}};
  if (!record.compute_capability.empty()) device["compute_capability"] = record.compute_capability;
  return device;
}

Json options_json(const std::vector<RecordedOption>& options) {
  Json json = Json::object();
  for (const RecordedOption& option : options) {
    const Json values = option.values;
    json[option.name] = {{"value", values.size() == 1 ? values[0] : values}, {"source", option.source}};
  }
  return json;
}

Json cuts_json(const std::vector<RecordedCut>& cuts) {
  Json json = Json::object();
  for (const RecordedCut& cut : cuts) {
    json[cut.option] = {{"tokens", cut.tokens}, {"read_tokens", cut.read_tokens}, {"dropped", cut.dropped}};
  }
  return json;
}

// Of the model, the device and the picture, behind what was asked for.
void add_origin(Json& json, const RunRecord& record, Paths paths) {
  json["model"] = {{"folder", path_text(record.model_folder, paths)},
                   {"pipeline", record.pipeline},
                   {"fingerprint", record.fingerprint}};
  json["device"] = device_json(record);
  json["dtype"] = record.dtype;
  json["picture"] = path_text(record.picture, paths);
  json["picture_size"] = size_json(record.picture_size);
  json["working_size"] = size_json(record.working_size);
  json["layer_size"] = size_json(record.layer_size);
  json["seed"] = record.seed;
}

// Versions, the command and the job.
Json begin(const RunRecord& record, const std::string& job) {
  Json json{{"versions", Json::object()}, {"command", record.command}};
  for (const auto& [name, version] : record.versions) json["versions"][name] = version;
  if (!job.empty()) json["job"] = Json::parse(job);
  return json;
}

// Something of every phase, under the phases' names.
template <typename T>
Json by_phase(const ByPhase<T>& phases) {
  Json json = Json::object();
  for (std::size_t i = 0; i < phases.size(); ++i) json[std::string(kRecordedPhases[i])] = phases[i];
  return json;
}

Json seconds_json(const ByPhase<double>& seconds, const ByPhase<double>& load_seconds) {
  Json json = by_phase(seconds);
  json["load"] = by_phase(load_seconds);
  return json;
}

Json rank_json(const RecordedRank& rank) {
  Json json{{"rank", rank.rank},
            {"host", rank.host},
            {"device", rank.device},
            {"stage", rank.stage},
            {"predicted_peak_bytes", by_phase(rank.predicted_peak_bytes)},
            {"peak_bytes", by_phase(rank.peak_bytes)}};
  for (auto& [phase, bytes] : json["peak_bytes"].items()) {
    if (bytes == 0) bytes = nullptr;
  }
  if (rank.seconds) {
    json["seconds"] = seconds_json(*rank.seconds, rank.load_seconds.value_or(ByPhase<double>{}));
    if (rank.rank != 0) json["seconds"]["decode"] = json["seconds"]["load"]["decode"] = nullptr;
  }
  json["denoise"] = {{"seconds", rank.denoise_seconds},
                     {"busy", rank.busy_seconds},
                     {"wait", rank.wait_seconds},
                     {"idle", rank.idle_seconds}};
  if (rank.edge) {
    json["edge"] = {{"to_rank", rank.edge->to_rank},
                    {"messages", rank.edge->messages},
                    {"bytes", rank.edge->bytes},
                    {"wait", rank.edge->wait_seconds}};
  }
  return json;
}

Json memory_json(const RunRecord& record) {
  Json weights = Json::object();
  for (const auto& [network, bytes] : record.weight_bytes) weights[network] = bytes;
  return {{"weight_bytes", std::move(weights)},
          {"peak_bytes", by_phase(record.peak_bytes)},
          {"host_peak_bytes", record.host_peak_bytes}};
}

}  // namespace

std::string last_part(const std::string& path) {
  const auto parts = std::filesystem::path(path).lexically_normal();
  // "layers/" has an empty last part.
  return (parts.has_filename() ? parts : parts.parent_path()).filename().string();
}

std::string picture_json(const RunRecord& record) {
  Json json = begin(record, record.deciding_job);
  add_origin(json, record, Paths::kLastPart);
  return dump(json, -1);
}

std::string run_json(const RunRecord& record) {
  Json json = begin(record, record.job);
  json["options"] = options_json(record.options);
  if (!record.cut_prompts.empty()) json["cut_prompts"] = cuts_json(record.cut_prompts);
  add_origin(json, record, Paths::kWhole);
  if (!record.run_id.empty()) json["run_id"] = record.run_id;
  json["seconds"] = seconds_json(record.seconds, record.load_seconds);
  if (record.write_seconds) json["seconds"]["write"] = *record.write_seconds;
  json["seconds"]["steps"] = record.step_seconds;
  json["memory"] = memory_json(record);
  json["plan"] = Json::parse(record.plan);
  json["ranks"] = Json::array();
  for (const RecordedRank& rank : record.ranks) json["ranks"].push_back(rank_json(rank));
  json["picture_hash"] = record.picture_hash;
  json["layer_hashes"] = record.layer_hashes;
  json["empty_layers"] = record.empty_layers;
  json["files"] = record.files;
  if (!record.written.empty()) json["written"] = Json::array();
  for (const WrittenFile& file : record.written)
    json["written"].push_back(
        {{"name", file.name}, {"bytes", file.content.bytes}, {"hash", file.content.hash}});
  if (record.results > 0) json["result"] = {{"number", record.number}, {"of", record.results}};
  return sealed(dump(json, 2) + "\n");
}

}  // namespace layerpipe::results
