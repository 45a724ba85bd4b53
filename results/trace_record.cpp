#include "results/trace_record.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "common/files.h"
#include "results/json_reader.h"

namespace layerpipe::results {
namespace {

using Row = RecordedWork::Row;

constexpr std::uint64_t kLargestFile = 64ULL << 20;
constexpr std::size_t kMostEvents = 4'000'000;
constexpr std::int64_t kLargestNumber = 1'000'000'000;
const std::string kRemedy = "Give a trace as layerpipe decompose --trace wrote it.";

// 3 of "rank 3 on host: blocks 0-19".
std::int64_t rank_of(const JsonReader& name) {
  constexpr std::string_view kBefore = "rank ";
  const std::string text = name.text();
  std::int64_t rank = -1;
  if (text.starts_with(kBefore)) {
    std::from_chars(text.data() + kBefore.size(), text.data() + text.size(), rank);
  }
  if (rank < 0) name.refuse("the name of a rank");
  return rank;
}

std::optional<Row> row_of(const std::string& name) {
  if (name == "compute") return Row::kCompute;
  if (name == "receive") return Row::kReceive;
  if (name == "send") return Row::kSend;
  return std::nullopt;
}

class Assembly {
 public:
  void add(const JsonReader& event) {
    const std::string kind = event.at("ph").text();
    if (kind == "M") {
      name(event);
    } else if (kind == "X" && event.find("args")) {  // phases have none
      place(event);
    }
  }
  RecordedTrace take() {
    for (RecordedTrace::Rank& rank : trace_.ranks) {
      std::stable_sort(rank.work.begin(), rank.work.end(),
                       [](const RecordedWork& a, const RecordedWork& b) { return a.begin < b.begin; });
    }
    return std::move(trace_);
  }

 private:
  void name(const JsonReader& event) {
    const JsonReader name = event.at("args").at("name");
    if (event.at("name").text() == "process_name") {
      places_[event.at("pid").whole(0, kLargestNumber)] = trace_.ranks.size();
      trace_.ranks.push_back({.rank = rank_of(name), .work = {}});
    } else if (const auto row = row_of(name.text())) {
      rows_[event.at("tid").whole(0, kLargestNumber)] = *row;
    }
  }

  void place(const JsonReader& event) {
    const auto place = places_.find(event.at("pid").whole(0, kLargestNumber));
    if (place == places_.end()) event.at("pid").complain("is of a rank without a name");
    const auto row = rows_.find(event.at("tid").whole(0, kLargestNumber));
    if (row == rows_.end()) event.at("tid").complain("is of a row without a name");
    const JsonReader about = event.at("args");
    const double begin = event.at("ts").number() / 1e6;
    trace_.ranks[place->second].work.push_back({.row = row->second,
                                                .name = event.at("name").text(),
                                                .begin = begin,
                                                .end = begin + event.at("dur").number() / 1e6,
                                                .request = about.at("request").whole(0, kLargestNumber),
                                                .step = about.at("step").whole(0, kLargestNumber),
                                                .branch = about.at("branch").whole(0, kLargestNumber)});
  }

  RecordedTrace trace_;
  std::map<std::int64_t, std::size_t> places_;  // of processes, in trace_.ranks
  std::map<std::int64_t, Row> rows_;            // of threads
};

}  // namespace

RecordedTrace read_trace(const std::filesystem::path& file) {
  const std::string name = file.string();
  const JsonReader::Json whole = JsonReader::parse(common::read_text_file(file, kLargestFile), name, kRemedy);
  const JsonReader json(whole, name, kRemedy);
  Assembly assembly;
  for (const JsonReader& event : json.at("traceEvents").items(kMostEvents)) assembly.add(event);
  RecordedTrace trace = assembly.take();
  if (const auto more = json.find("otherData")) {
    if (const auto id = more->find("run_id")) trace.run_id = id->text();
  }
  return trace;
}

}  // namespace layerpipe::results
