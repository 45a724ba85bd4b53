// run.json and traces, read back: what they tell, and what is refused. Refusals name the file and the key,
// and say what is there and what was expected.
#include "results/run_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/files.h"
#include "results/archive_report.h"
#include "results/file_content.h"
#include "results/trace_record.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::results {
namespace {

using layerpipe::testing::refusal;
using Json = nlohmann::json;

// As a run on two ranks writes it.
Json valid() {
  Json json = Json::parse(R"({
    "versions": {"layerpipe": "0.1.0", "torch": "2.11.0"}, "command": "decompose",
    "options": {"prompt": {"value": "a fox", "source": "command line"},
                "image": {"value": ["a.png", "b.png"], "source": "command line"},
                "steps": {"value": "50", "source": "default"}},
    "model": {"folder": "model", "pipeline": "QwenImageLayeredPipeline", "fingerprint": "00ff"},
    "device": {"id": "cuda:0", "name": "NVIDIA H200", "compute_capability": "9.0"}, "dtype": "bf16",
    "picture": "a.png", "picture_size": {"width": 640, "height": 448},
    "working_size": {"width": 320, "height": 224}, "layer_size": {"width": 320, "height": 224},
    "seed": 18446744073709551615,
    "seconds": {"encode": 0.5, "denoise": 4, "decode": 1.25,
                "load": {"encode": 0.25, "denoise": 0, "decode": 0}, "write": 0.75, "steps": [2, 1.5]},
    "plan": {"fits": true, "strategy": "balanced", "predicted_step_seconds": 1.75, "predicted_seconds": null,
             "stages": [{"stage": 0, "rank": 0, "host": "a", "blocks": [0, 2], "text_layers": [0, 1],
                         "vae_percent": 50, "residency": "resident"}]},
    "ranks": [{"rank": 0, "host": "a", "device": "NVIDIA H200",
               "predicted_peak_bytes": {"encode": 30, "denoise": 20, "decode": 10},
               "peak_bytes": {"encode": 31, "denoise": 21, "decode": 11},
               "seconds": {"encode": 0.5, "denoise": 4, "decode": null,
                           "load": {"encode": 0.25, "denoise": 0, "decode": null}},
               "denoise": {"seconds": 4, "busy": 3, "wait": 0.75, "idle": 0.25},
               "edge": {"to_rank": 1, "messages": 12, "bytes": 4096, "wait": 0.5}}],
    "picture_hash": "11", "layer_hashes": ["22", "33"], "files": ["layer_0.png"]})");
  Json stage = json["plan"]["stages"][0];
  stage.merge_patch({{"stage", 1}, {"rank", 1}, {"host", "b"}, {"blocks", {2, 4}}, {"text_layers", {1, 1}}});
  stage["residency"] = {{"transformer", "phased"}, {"vae", "resident"}};
  json["plan"]["stages"].push_back(stage);
  Json rank = json["ranks"][0];
  rank.merge_patch({{"rank", 1}, {"host", "b"}, {"edge", {{"to_rank", 0}}}});
  json["ranks"].push_back(rank);
  return json;
}

RunRecord parsed(const Json& json) {
  return parse_run_record(json.dump(), "FILE");
}

// What is said when the value at `pointer` is this one; null takes the key away.
std::string refused(const std::string& pointer, const Json& value) {
  Json json = valid();
  const Json::json_pointer place(pointer);
  if (value.is_null()) {
    json.at(place.parent_pointer()).erase(place.back());
  } else {
    json[place] = value;
  }
  return refusal("FILE", [&] { parsed(json); });
}

std::string refused_text(const std::string& text) {
  return refusal("FILE", [&] { parse_run_record(text, "FILE"); });
}

TEST(RunRecord, HoldsWhatTheFileTells) {
  const RunRecord record = parsed(valid());
  EXPECT_EQ(record.version("torch"), "2.11.0");
  EXPECT_EQ(record.version("cuda"), "");
  EXPECT_EQ(record.option("image")->values, (std::vector<std::string>{"a.png", "b.png"}));
  EXPECT_EQ(record.option("steps")->source, "default");
  EXPECT_EQ(record.option("layers"), nullptr);
  EXPECT_FALSE(record.on_cpu());
  EXPECT_EQ(record.seed, 18446744073709551615U);
  EXPECT_EQ(record.working_size.height, 224);
  EXPECT_EQ(record.seconds, (ByPhase<double>{0.5, 4, 1.25}));
  EXPECT_EQ(record.load_seconds, (ByPhase<double>{0.25, 0, 0}));
  EXPECT_EQ(record.write_seconds, 0.75);
  EXPECT_EQ(record.step_seconds, (std::vector<double>{2, 1.5}));
  EXPECT_EQ(record.predicted_step_seconds, 1.75);
  EXPECT_EQ(record.predicted_seconds, std::nullopt);
  ASSERT_EQ(record.stages.size(), 2U);
  EXPECT_EQ(record.stages[1].blocks, (std::pair<std::int64_t, std::int64_t>{2, 4}));
  EXPECT_EQ(record.stages[1].residency, "transformer phased, vae resident");
  ASSERT_EQ(record.ranks.size(), 2U);
  EXPECT_EQ(record.ranks[1].host, "b");
  EXPECT_EQ(record.ranks[0].peak_bytes, (ByPhase<std::uint64_t>{31, 21, 11}));
  EXPECT_EQ(record.ranks[0].seconds, (ByPhase<double>{0.5, 4, 0}));
  EXPECT_EQ(record.ranks[0].wait_seconds, 0.75);
  EXPECT_EQ(record.ranks[0].edge->to_rank, 1);
  EXPECT_EQ(record.layer_hashes, (std::vector<std::string>{"22", "33"}));
}

TEST(RunRecord, HoldsPromptsThatWereCut) {
  EXPECT_TRUE(parsed(valid()).cut_prompts.empty());
  EXPECT_FALSE(Json::parse(run_json(parsed(valid()))).contains("cut_prompts"));
  Json json = valid();
  json["cut_prompts"] = {{"negative-prompt", {{"tokens", 603}, {"read_tokens", 512}, {"dropped", "x"}}}};
  const RunRecord record = parsed(json);
  ASSERT_EQ(record.cut_prompts.size(), 1U);
  EXPECT_EQ(record.cut_prompts[0].option, "negative-prompt");
  EXPECT_EQ(record.cut_prompts[0].tokens, 603);
  EXPECT_EQ(record.cut_prompts[0].read_tokens, 512);
  EXPECT_EQ(record.cut_prompts[0].dropped, "x");
  json["cut_prompts"]["negative-prompt"]["tokens"] = "many";
  EXPECT_EQ(
      refusal("FILE", [&] { parsed(json); }),
      "FILE: \"cut_prompts.negative-prompt.tokens\" is \"many\", not a whole number from 0 to 1000000000");
}

TEST(RunRecord, IsWrittenAsItIsRead) {
  Json json = valid();
  json["job"] = {{"image", "a.png"}, {"steps", 50}};
  json["run_id"] = "1789";
  json["cut_prompts"] = {{"prompt", {{"tokens", 603}, {"read_tokens", 512}, {"dropped", "with a dog"}}}};
  json["empty_layers"] = {1};
  json["written"] = {{{"name", "layer_0.png"}, {"bytes", 7}, {"hash", "00ff"}}};
  json["result"] = {{"number", 1}, {"of", 3}};
  json["memory"] = {{"weight_bytes", {{"transformer", 7}, {"vae_decoder", 8}}},
                    {"peak_bytes", {{"encode", 1}, {"denoise", 2}, {"decode", 3}}},
                    {"host_peak_bytes", 9}};
  const std::string text = run_json(parsed(json));
  EXPECT_EQ(run_json(parse_run_record(text, "FILE")), text);
  const Json written = Json::parse(text);
  for (const char* key :
       {"versions",     "command",      "job",     "options",      "cut_prompts",  "model",
        "device",       "dtype",        "picture", "picture_size", "working_size", "layer_size",
        "seed",         "run_id",       "seconds", "memory",       "plan",         "picture_hash",
        "layer_hashes", "empty_layers", "files",   "written",      "result"})
    EXPECT_EQ(written.at(key), json.at(key)) << key;
  for (const char* key : {"predicted_peak_bytes", "peak_bytes", "denoise", "edge"})
    EXPECT_EQ(written.at("ranks")[1].at(key), json.at("ranks")[1].at(key)) << key;
  EXPECT_EQ(written.at("ranks")[1].at("seconds"), json.at("ranks")[1].at("seconds"));
}

TEST(RunRecord, IsSealed) {
  const std::string text = run_json(parsed(valid()));
  EXPECT_TRUE(is_sealed(text));
  for (std::size_t i = 0; i < text.size(); i += 7) {
    std::string edited = text;
    edited[i] = edited[i] == ' ' ? '\n' : ' ';
    EXPECT_FALSE(is_sealed(edited)) << i;
  }
  for (const std::string& other : {std::string(), text + " ", " " + text, valid().dump(2) + "\n"})
    EXPECT_FALSE(is_sealed(other));
}

TEST(RunRecord, HoldsFilesThatComeLater) {
  const WrittenFile document{"layers.psd", {.bytes = 5, .hash = "aa"}};
  const WrittenFile page{"report.html", {.bytes = 6, .hash = "bb"}};
  std::string text = run_json(parsed(valid()));
  text = with_files(text, {&document, 1}, Listed::kAsFiles);
  text = with_files(text, {&page, 1}, Listed::kAsWritten);
  const WrittenFile again{"layers.psd", {.bytes = 7, .hash = "cc"}};
  text = with_files(text, {&again, 1}, Listed::kAsFiles);
  EXPECT_TRUE(is_sealed(text));
  const RunRecord record = parse_run_record(text, "FILE");
  EXPECT_EQ(record.files, (std::vector<std::string>{"layer_0.png", "layers.psd"}));
  ASSERT_EQ(record.written.size(), 2U);
  EXPECT_EQ(record.written[0].name, "report.html");
  EXPECT_EQ(record.written[1].content, again.content);
  EXPECT_EQ(run_json(record), text);
  // What a person changed stays changed.
  text.replace(text.find("a fox"), 5, "a dog");
  EXPECT_FALSE(is_sealed(with_files(text, {&document, 1}, Listed::kAsFiles)));
}

TEST(RunRecord, RefusesAResultBeyondItsSet) {
  EXPECT_EQ(refused("/result", {{"number", 3}, {"of", 3}}),
            "FILE: \"result.number\" is 3, not a number below \"of\"");
  EXPECT_EQ(refused("/result", {{"number", 0}, {"of", 0}}),
            "FILE: \"result.of\" is 0, not a whole number from 1 to 1000000000");
  EXPECT_EQ(refused("/written", Json::parse(R"([{"name": "a", "bytes": -1, "hash": ""}])")),
            "FILE: \"written[0].bytes\" is -1, not a whole number from 0");
}

TEST(RunRecord, TellsPicturesNothingThatAnotherFolderWouldChange) {
  Json json = valid();
  json["picture"] = "/home/somebody/a.png";
  json["model"]["folder"] = "/home/somebody/model/";
  RunRecord record = parsed(json);
  record.job = R"({"image": "/home/somebody/a.png", "format": "psd"})";
  record.deciding_job = R"({"image": "a.png"})";
  const Json told = Json::parse(picture_json(record));
  EXPECT_EQ(told.at("job"), Json({{"image", "a.png"}}));
  EXPECT_EQ(told.at("picture"), "a.png");
  EXPECT_EQ(told.at("model").at("folder"), "model");
  for (const char* key : {"options", "seconds", "files", "plan", "ranks"})
    EXPECT_FALSE(told.contains(key)) << key;
}

TEST(RunRecord, TakesFilesOfEarlierVersionsAndKeysOfLaterOnes) {
  Json json = valid();
  for (const char* key : {"layer_hashes", "picture_hash"}) json.erase(key);
  for (Json& rank : json["ranks"]) rank.erase("seconds");
  json["of_tomorrow"] = {1, 2};
  const RunRecord record = parsed(json);
  EXPECT_TRUE(record.layer_hashes.empty());
  EXPECT_FALSE(record.ranks[0].seconds);
}

TEST(RunRecord, RefusesWhatIsNoJson) {
  EXPECT_THAT(refused_text(""), ::testing::StartsWith("FILE is not JSON: parse error at line 1, column 1"));
  EXPECT_EQ(refused_text("[]"), "FILE is [], not a JSON object");
  EXPECT_EQ(refused_text("\xEF\xBB\xBF{}"), "FILE begins with a byte order mark, which is not JSON");
  EXPECT_EQ(refused_text("{\"a\": \"\xE9\"}"), "FILE is not UTF-8: byte 0xE9 at offset 7");
  EXPECT_EQ(refused_text(R"({"seed": 1e999})"), "FILE has the number 1e999 in line 1, which is too large");
  EXPECT_EQ(refused_text(R"({"a": 1, "a": 2})"), "FILE has the key \"a\" twice in one object");
  EXPECT_EQ(refused_text(std::string(100000, '[')), "FILE is nested deeper than 64 levels");
}

TEST(RunRecord, RefusesAFileThatIsCutShortAnywhere) {
  const std::string whole = valid().dump();
  for (std::size_t bytes = 0; bytes < whole.size(); bytes += 7)
    EXPECT_THAT(refused_text(whole.substr(0, bytes)), ::testing::StartsWith("FILE is not JSON: "));
}

TEST(RunRecord, RefusesAFileWithoutAnyOfItsKeys) {
  for (const std::string key :
       {"versions", "command", "options", "model", "device", "dtype", "picture", "seed", "picture_size",
        "working_size", "layer_size", "seconds", "plan", "ranks", "files"})
    EXPECT_EQ(refused(std::string("/").append(key), nullptr), "FILE: \"" + key + "\" is missing");
  EXPECT_EQ(refused("/ranks/1/peak_bytes/decode", nullptr),
            "FILE: \"ranks[1].peak_bytes.decode\" is missing");
}

TEST(RunRecord, SaysWhatWasExpected) {
  const std::vector<std::tuple<const char*, Json, const char*>> cases{
      {"/seed", -1, "\"seed\" is -1, not a whole number from 0"},
      {"/seed", 1.5, "\"seed\" is 1.5, not a whole number from 0"},
      {"/command", 7, "\"command\" is 7, not a text"},
      {"/picture", std::string("a\0b", 3),
       "\"picture\" is \"a\\u0000b\", not a text without the character 0"},
      {"/versions", {1, 2}, "\"versions\" is [1,2], not a JSON object"},
      {"/versions/layerpipe", 2, "\"versions.layerpipe\" is 2, not a text"},
      {"/options/steps", "50", "\"options.steps\" is \"50\", not a JSON object"},
      {"/options/steps/value", 50, "\"options.steps.value\" is 50, not a text"},
      {"/options/image/value", Json::array(), "\"options.image.value\" is empty"},
      {"/options/image/value/1", false, "\"options.image.value[1]\" is false, not a text"},
      {"/layer_size/width", 0, "\"layer_size.width\" is 0, not a whole number from 1 to 65500"},
      {"/layer_size",
       {{"width", 16384}, {"height", 16384}},
       "\"layer_size\" is {\"height\":16384,\"width\":16384}, not a size of at most 178956970 pixels"},
      {"/options/prompt", nullptr, "\"options.prompt\" is missing"},
      {"/files", {"a", "a"}, "\"files\" is [\"a\",\"a\"], not a list of different texts"},
      {"/seconds/steps", 3, "\"seconds.steps\" is 3, not a list"},
      {"/seconds/steps/1", -0.5, "\"seconds.steps[1]\" is -0.5, not a number from 0"},
      {"/seconds/denoise", "4 s", "\"seconds.denoise\" is \"4 s\", not a number"},
      {"/seconds/steps", std::vector<int>(100001),
       "\"seconds.steps\" has 100001 entries; at most 100000 are accepted"},
      {"/plan/stages", Json::array(), "\"plan.stages\" is empty"},
      {"/plan/stages/0/blocks", {2}, "\"plan.stages[0].blocks\" is [2], not a range of two numbers"},
      {"/plan/stages/0/blocks",
       {2, 1},
       "\"plan.stages[0].blocks\" is [2,1], not a range whose end is not before its beginning"},
      {"/plan/stages/0/rank", 5000, "\"plan.stages[0].rank\" is 5000, not a whole number from 0 to 4096"},
      {"/plan/stages/0/residency", true, "\"plan.stages[0].residency\" is true, not a JSON object"},
      {"/ranks/1/rank", 2, "\"ranks[1].rank\" is 2, not the rank of the plan's stage in its place"},
      {"/ranks", Json::array(), "\"ranks\" has not a rank for each stage of the plan"},
      {"/ranks/0/edge/to_rank", 7, "\"ranks\" has an edge to rank 7, which there is not"},
      {"/layer_hashes", "22", "\"layer_hashes\" is \"22\", not a list"},
  };
  for (const auto& [pointer, value, message] : cases)
    EXPECT_EQ(refused(pointer, value), std::string("FILE: ") + message);
}

TEST(RunRecord, RefusesFilesThatAreNone) {
  const layerpipe::testing::TemporaryFolder folder;
  const auto file = folder.path() / "run.json";
  const auto refused_file = [&] { return refusal(file, [&] { read_run_record(file); }); };
  EXPECT_EQ(refused_file(), "cannot open FILE: No such file or directory (errno 2)");
  common::write_file_atomically(file, std::string(kLargestRunRecord + 1, ' '));
  EXPECT_EQ(refused_file(), "FILE has 16777217 bytes; at most 16777216 are accepted");
}

class TraceRecord : public ::testing::Test {
 protected:
  RecordedTrace read(const std::string& events) const {
    common::write_file_atomically(file_, R"({"traceEvents": [)" + events + "]}");
    return read_trace(file_);
  }
  std::string refused(const std::string& events) const {
    return refusal(file_, [&] { read(events); });
  }

  const std::string names_ =
      R"({"ph": "M", "name": "process_name", "pid": 4, "args": {"name": "rank 3 on a: blocks 0-1"}},
         {"ph": "M", "name": "thread_name", "pid": 4, "tid": 9, "args": {"name": "compute"}},)";
  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "trace.json";
};

TEST_F(TraceRecord, HoldsTheWorkOfEachRankByItsBegin) {
  const RecordedTrace trace = read(names_ + R"(
      {"ph": "X", "name": "forward", "pid": 4, "tid": 9, "ts": 2000000, "dur": 500000,
       "args": {"request": 0, "step": 1, "branch": 1}},
      {"ph": "X", "name": "denoise", "pid": 4, "tid": 9, "ts": 0, "dur": 1},
      {"ph": "X", "name": "forward", "pid": 4, "tid": 9, "ts": 1000000, "dur": 500000,
       "args": {"request": 0, "step": 1, "branch": 0}})");
  ASSERT_EQ(trace.ranks.size(), 1U);
  EXPECT_EQ(trace.ranks[0].rank, 3);
  ASSERT_EQ(trace.ranks[0].work.size(), 2U);
  EXPECT_EQ(trace.ranks[0].work[0].begin, 1);
  EXPECT_EQ(trace.ranks[0].work[1].end, 2.5);
  EXPECT_EQ(trace.ranks[0].work[1].branch, 1);
}

TEST_F(TraceRecord, KnowsItsRun) {
  common::write_file_atomically(file_, R"({"traceEvents": [], "otherData": {"run_id": "1789"}})");
  EXPECT_EQ(read_trace(file_).run_id, "1789");
  EXPECT_EQ(
      read(names_ + R"({"ph": "M", "name": "thread_name", "pid": 4, "tid": 9, "args": {"name": "send"}})")
          .run_id,
      "");
}

TEST_F(TraceRecord, SaysWhatWasExpected) {
  EXPECT_EQ(refused(R"({"ph": "M", "name": "process_name", "pid": 4, "args": {"name": "someone"}})"),
            "FILE: \"traceEvents[0].args.name\" is \"someone\", not the name of a rank");
  EXPECT_EQ(refused(names_ + R"({"ph": "X", "name": "forward", "pid": 5, "tid": 9, "args": {}})"),
            "FILE: \"traceEvents[2].pid\" is of a rank without a name");
  EXPECT_EQ(refused(names_ + R"({"ph": "X", "name": "forward", "pid": 4, "tid": 8, "args": {}})"),
            "FILE: \"traceEvents[2].tid\" is of a row without a name");
  EXPECT_EQ(refused("3"), "FILE: \"traceEvents[0]\" is 3, not a JSON object");
  common::write_file_atomically(file_, "{}");
  EXPECT_EQ(refusal(file_, [&] { read_trace(file_); }), "FILE: \"traceEvents\" is missing");
}

}  // namespace
}  // namespace layerpipe::results
