#include "results/run_record.h"

#include <algorithm>
#include <set>

#include "common/files.h"
#include "results/json_reader.h"

namespace layerpipe::results {
namespace {

constexpr std::size_t kMostRanks = 4096;
constexpr std::size_t kMostSteps = 100000;
constexpr std::size_t kMostEntries = 10000;
// The largest side of a picture is that of media/image.h, which runtime does not know.
constexpr std::int64_t kLargestSide = 65500;
constexpr std::int64_t kMostPixels = 178'956'970;
constexpr std::int64_t kLargestCount = 1'000'000'000;
const std::string kRemedy = "Give a run.json as layerpipe decompose wrote it.";

template <typename Value>
auto by_phase(const JsonReader& json, Value value) {
  ByPhase<decltype(value(json))> phases{};
  for (std::size_t i = 0; i < phases.size(); ++i) phases[i] = value(json.at(std::string(kRecordedPhases[i])));
  return phases;
}

ByPhase<double> seconds_by_phase(const JsonReader& json) {
  return by_phase(json, [](const JsonReader& value) { return value.number(); });
}

ByPhase<std::uint64_t> bytes_by_phase(const JsonReader& json) {
  return by_phase(json, [](const JsonReader& value) { return value.count(); });
}

std::vector<std::string> texts(const JsonReader& json) {
  std::vector<std::string> list;
  for (const JsonReader& item : json.items(kMostEntries)) list.push_back(item.text());
  return list;
}

std::vector<WrittenFile> read_written(const JsonReader& json) {
  std::vector<WrittenFile> files;
  for (const JsonReader& file : json.items(kMostEntries)) {
    files.push_back({.name = file.at("name").text(),
                     .content = {.bytes = file.at("bytes").count(), .hash = file.at("hash").text()}});
  }
  return files;
}

common::Size read_size(const JsonReader& json) {
  const common::Size size{json.at("width").whole(1, kLargestSide), json.at("height").whole(1, kLargestSide)};
  if (size.width * size.height > kMostPixels)
    json.refuse("a size of at most " + std::to_string(kMostPixels) + " pixels");
  return size;
}

std::pair<std::int64_t, std::int64_t> read_range(const JsonReader& json) {
  const auto ends = json.items(2);
  if (ends.size() != 2) json.refuse("a range of two numbers");
  const std::pair range{ends[0].whole(0, kLargestCount), ends[1].whole(0, kLargestCount)};
  if (range.first > range.second) json.refuse("a range whose end is not before its beginning");
  return range;
}

std::string read_residency(const JsonReader& json) {
  if (json.is_text()) return json.text();
  std::string text;
  for (const auto& [component, residency] : json.members()) {
    if (!text.empty()) text += ", ";
    text += component + " " + residency.text();
  }
  return text;
}

std::vector<RecordedOption> read_options(const JsonReader& json) {
  std::vector<RecordedOption> options;
  for (const auto& [name, record] : json.members()) {
    const JsonReader value = record.at("value");
    options.push_back({.name = name,
                       .values = value.is_array() ? texts(value) : std::vector{value.text()},
                       .source = record.at("source").text()});
    if (options.back().values.empty()) value.complain("is empty");
  }
  return options;
}

std::vector<RecordedStage> read_stages(const JsonReader& json) {
  std::vector<RecordedStage> stages;
  for (const JsonReader& stage : json.items(kMostRanks)) {
    stages.push_back({.stage = stage.at("stage").whole(0, kMostRanks),
                      .rank = stage.at("rank").whole(0, kMostRanks),
                      .host = stage.at("host").text(),
                      .blocks = read_range(stage.at("blocks")),
                      .text_layers = read_range(stage.at("text_layers")),
                      .vae_percent = stage.at("vae_percent").number(),
                      .residency = read_residency(stage.at("residency"))});
  }
  if (stages.empty()) json.complain("is empty");
  return stages;
}

RecordedRank read_rank(const JsonReader& json) {
  RecordedRank rank{.rank = json.at("rank").whole(0, kMostRanks),
                    .host = json.at("host").text(),
                    .device = json.at("device").text(),
                    .stage = 0,
                    .predicted_peak_bytes = bytes_by_phase(json.at("predicted_peak_bytes")),
                    .peak_bytes = by_phase(json.at("peak_bytes"), [](const JsonReader& value) {
                      return value.is_null() ? 0 : value.count();
                    })};
  if (const auto stage = json.find("stage")) rank.stage = stage->whole(0, kMostRanks);
  if (const auto seconds = json.find("seconds")) {
    const auto known = [](const JsonReader& value) { return value.is_null() ? 0 : value.number(); };
    rank.seconds = by_phase(*seconds, known);
    rank.load_seconds = by_phase(seconds->at("load"), known);
  }
  const JsonReader denoise = json.at("denoise");
  rank.denoise_seconds = denoise.at("seconds").number();
  rank.busy_seconds = denoise.at("busy").number();
  rank.wait_seconds = denoise.at("wait").number();
  rank.idle_seconds = denoise.at("idle").number();
  if (const auto edge = json.find("edge")) {
    rank.edge = RecordedEdge{.to_rank = edge->at("to_rank").whole(0, kMostRanks),
                             .messages = edge->at("messages").whole(0, kLargestCount),
                             .bytes = edge->at("bytes").count(),
                             .wait_seconds = edge->at("wait").number()};
  }
  return rank;
}

void read_plan(const JsonReader& json, RunRecord& record) {
  record.strategy = json.at("strategy").text();
  record.stages = read_stages(json.at("stages"));
  if (const auto predicted = json.find("predicted_step_seconds"))
    record.predicted_step_seconds = predicted->number();
  if (const auto predicted = json.find("predicted_seconds")) record.predicted_seconds = predicted->number();
}

void read_memory(const JsonReader& json, RunRecord& record) {
  for (const auto& [network, bytes] : json.at("weight_bytes").members())
    record.weight_bytes.emplace_back(network, bytes.count());
  record.peak_bytes = bytes_by_phase(json.at("peak_bytes"));
  record.host_peak_bytes = json.at("host_peak_bytes").count();
}

// One for each stage of the plan, in its order.
std::vector<RecordedRank> read_ranks(const JsonReader& json, const std::vector<RecordedStage>& stages) {
  std::vector<RecordedRank> ranks;
  std::set<std::int64_t> known;
  for (const JsonReader& item : json.items(kMostRanks)) {
    ranks.push_back(read_rank(item));
    const std::size_t place = ranks.size() - 1;
    if (place >= stages.size() || stages[place].rank != ranks.back().rank)
      item.at("rank").refuse("the rank of the plan's stage in its place");
    if (!known.insert(ranks.back().rank).second) item.complain("is there twice");
  }
  if (ranks.size() != stages.size()) json.complain("has not a rank for each stage of the plan");
  for (const RecordedRank& rank : ranks) {
    if (rank.edge && !known.contains(rank.edge->to_rank))
      json.complain("has an edge to rank " + std::to_string(rank.edge->to_rank) + ", which there is not");
  }
  return ranks;
}

}  // namespace

const RecordedOption* RunRecord::option(std::string_view name) const {
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const auto& option) { return option.name == name; });
  return found == options.end() ? nullptr : &*found;
}

std::string RunRecord::version(std::string_view of) const {
  for (const auto& [name, version] : versions) {
    if (name == of) return version;
  }
  return {};
}

std::string RunRecord::prompt() const {
  const RecordedOption* found = option("prompt");
  return found == nullptr ? std::string() : found->values.front();
}

void set_plan(RunRecord& record, const std::string& plan_json) {
  const std::string name = "the plan";
  const JsonReader::Json json = JsonReader::parse(plan_json, name, kRemedy);
  read_plan(JsonReader(json, name, kRemedy), record);
  record.plan = plan_json;
}

RunRecord parse_run_record(std::string_view text, const std::string& name) {
  const JsonReader::Json whole = JsonReader::parse(text, name, kRemedy);
  const JsonReader json(whole, name, kRemedy);
  RunRecord record;
  for (const auto& [of, version] : json.at("versions").members())
    record.versions.emplace_back(of, version.text());
  record.command = json.at("command").text();
  record.options = read_options(json.at("options"));
  json.at("options").at("prompt").at("value").text();  // documents are named after it
  if (const auto cuts = json.find("cut_prompts")) {
    for (const auto& [option, cut] : cuts->members()) {
      record.cut_prompts.push_back({.option = option,
                                    .tokens = cut.at("tokens").whole(0, kLargestCount),
                                    .read_tokens = cut.at("read_tokens").whole(0, kLargestCount),
                                    .dropped = cut.at("dropped").text()});
    }
  }
  if (const auto job = json.find("job")) record.job = whole.at("job").dump();
  const JsonReader model = json.at("model");
  record.model_folder = model.at("folder").text();
  record.pipeline = model.at("pipeline").text();
  record.fingerprint = model.at("fingerprint").text();
  record.device_id = json.at("device").at("id").text();
  record.device_name = json.at("device").at("name").text();
  if (const auto capability = json.at("device").find("compute_capability"))
    record.compute_capability = capability->text();
  record.dtype = json.at("dtype").text();
  record.picture = json.at("picture").text();
  record.picture_size = read_size(json.at("picture_size"));
  record.working_size = read_size(json.at("working_size"));
  record.layer_size = read_size(json.at("layer_size"));
  record.seed = json.at("seed").count();
  const JsonReader seconds = json.at("seconds");
  record.seconds = seconds_by_phase(seconds);
  record.load_seconds = seconds_by_phase(seconds.at("load"));
  if (const auto write = seconds.find("write")) record.write_seconds = write->number();
  for (const JsonReader& step : seconds.at("steps").items(kMostSteps))
    record.step_seconds.push_back(step.number());
  if (const auto memory = json.find("memory")) read_memory(*memory, record);
  read_plan(json.at("plan"), record);
  record.plan = whole.at("plan").dump();
  record.ranks = read_ranks(json.at("ranks"), record.stages);
  record.files = texts(json.at("files"));
  if (std::set(record.files.begin(), record.files.end()).size() != record.files.size())
    json.at("files").refuse("a list of different texts");
  if (const auto written = json.find("written")) record.written = read_written(*written);
  if (const auto result = json.find("result")) {
    record.results = static_cast<std::size_t>(result->at("of").whole(1, kLargestCount));
    record.number = static_cast<std::size_t>(result->at("number").whole(0, kLargestCount));
    if (record.number >= record.results) result->at("number").refuse("a number below \"of\"");
  }
  if (const auto id = json.find("run_id")) record.run_id = id->text();
  if (const auto hash = json.find("picture_hash")) record.picture_hash = hash->text();
  if (const auto hashes = json.find("layer_hashes")) record.layer_hashes = texts(*hashes);
  if (const auto empty = json.find("empty_layers")) {
    for (const JsonReader& index : empty->items(kMostEntries))
      record.empty_layers.push_back(static_cast<std::size_t>(index.whole(0, kLargestCount)));
  }
  return record;
}

RunRecord read_run_record(const std::filesystem::path& file) {
  return parse_run_record(common::read_text_file(file, kLargestRunRecord), file.string());
}

}  // namespace layerpipe::results
