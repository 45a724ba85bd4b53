// The timeline of a run as Perfetto reads it.
#include "results/trace_file.h"

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "tests/support/temporary_folder.h"

namespace layerpipe::results {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;

// What every stage of a run would have done, an instruction a second; a receive lasts from the instruction
// before to the send.
std::vector<TracedRank> traced(const runtime::DenoiseWork& work) {
  const auto lists = runtime::schedule_denoising(work);
  std::vector<TracedRank> ranks(lists.size());
  std::vector<std::size_t> next(lists.size(), 0);
  std::vector<double> free(lists.size(), 1);  // since when
  std::map<std::tuple<bool, std::int64_t, std::int32_t, std::int32_t, std::size_t>, double> sent;
  for (bool moves = true; moves;) {
    moves = false;
    for (std::size_t stage = 0; stage < lists.size(); ++stage) {
      for (; next[stage] < lists[stage].size(); ++next[stage]) {
        const runtime::Instruction& one = lists[stage][next[stage]];
        const bool latents = one.operation == runtime::Operation::kSendLatents ||
                             one.operation == runtime::Operation::kReceiveLatents;
        const bool receives = one.operation == runtime::Operation::kReceive ||
                              one.operation == runtime::Operation::kReceiveLatents;
        const std::size_t reader = receives ? stage : (stage + 1) % lists.size();
        const std::tuple message{latents, one.request, one.step, one.branch, reader};
        if (receives && !sent.contains(message)) break;
        const double begin = free[stage];
        const double end = receives ? std::max(begin, sent[message]) + 0.25 : begin + 1;
        if (one.operation == runtime::Operation::kSend || one.operation == runtime::Operation::kSendLatents)
          sent[message] = end;
        ranks[stage].trace.add(one, begin, end);
        free[stage] = end;
        moves = true;
      }
    }
  }
  for (std::size_t stage = 0; stage < lists.size(); ++stage) {
    EXPECT_EQ(next[stage], lists[stage].size());
    ranks[stage].name = "rank " + std::to_string(stage);
    ranks[stage].trace.add_phase("denoise", 0, free[stage]);
  }
  return ranks;
}

Json written(const std::vector<TracedRank>& ranks) {
  const layerpipe::testing::TemporaryFolder folder;
  write_trace(folder.path() / "trace.json", ranks, "1789");
  std::ifstream file(folder.path() / "trace.json");
  return Json::parse(file).at("traceEvents");
}

std::vector<Json> of_kind(const Json& events, const std::string& kind) {
  std::vector<Json> some;
  std::copy_if(events.begin(), events.end(), std::back_inserter(some),
               [&](const Json& event) { return event.at("ph") == kind; });
  return some;
}

// The slice that an arrow's end lies in.
Json slice_at(const Json& events, const Json& end) {
  Json found;
  for (const Json& slice : of_kind(events, "X")) {
    const double begin = slice.at("ts");
    const double at = end.at("ts");
    if (slice.at("pid") != end.at("pid") || slice.at("tid") != end.at("tid") || at < begin ||
        at >= begin + slice.at("dur").get<double>())
      continue;
    EXPECT_TRUE(found.is_null()) << "two slices at one time in one row";
    found = slice;
  }
  return found;
}

const runtime::DenoiseWork kWork{
    .stages = 3, .in_flight = 2, .requests = {{.steps = 3, .branches = 2}, {.steps = 2, .branches = 1}}};

TEST(Trace, NumbersTheRowsOfAllRanksThrough) {
  const Json events = written(traced(kWork));
  std::map<int, std::vector<std::string>> rows;  // by process
  std::map<int, int> processes;                  // by thread
  for (const Json& event : of_kind(events, "M")) {
    EXPECT_GT(event.at("tid"), 0);
    processes.emplace(event.at("tid"), event.at("pid"));
    EXPECT_EQ(processes.at(event.at("tid")), event.at("pid"));
    if (event.at("name") == "thread_name") rows[event.at("pid")].push_back(event.at("args").at("name"));
  }
  ASSERT_EQ(rows.size(), 3U);
  for (const auto& [process, names] : rows)
    EXPECT_THAT(names, ElementsAre("phases", "compute", "receive", "send"));
  for (const Json& event : events) EXPECT_EQ(processes.at(event.at("tid")), event.at("pid")) << event;
}

TEST(Trace, DrawsAnArrowFromEachSendToWhatIsComputedWithIt) {
  const Json events = written(traced(kWork));
  const auto starts = of_kind(events, "s");
  const auto ends = of_kind(events, "f");
  // Over two edges each branch of each step, and back the latents of each step that has a next one.
  EXPECT_EQ(starts.size(), 2U * (3 * 2 + 2 * 1) + (2 + 1));
  ASSERT_EQ(starts.size(), ends.size());
  for (std::size_t i = 0; i < starts.size(); ++i) {
    EXPECT_EQ(starts[i].at("id"), ends[i].at("id"));
    EXPECT_EQ(starts[i].at("id"), i);
    EXPECT_EQ(ends[i].at("bp"), "e");
    const Json from = slice_at(events, starts[i]);
    const Json to = slice_at(events, ends[i]);
    ASSERT_FALSE(from.is_null() || to.is_null());
    EXPECT_LT(from.at("ts"), to.at("ts"));
    EXPECT_EQ(to.at("name"), "forward");
    EXPECT_EQ(from.at("args").at("request"), to.at("args").at("request"));
    const bool latents = from.at("name") == "send latents";
    EXPECT_EQ(from.at("args").at("step"), to.at("args").at("step").get<int>() - (latents ? 1 : 0));
    EXPECT_NE(from.at("pid"), to.at("pid"));
  }
}

TEST(Trace, OfOneRankHasNoArrows) {
  const Json events = written(traced({.stages = 1, .requests = {{.steps = 2, .branches = 2}}}));
  EXPECT_EQ(of_kind(events, "s").size(), 0U);
  EXPECT_EQ(of_kind(events, "f").size(), 0U);
}

TEST(Trace, TravelsAsBytes) {
  const std::vector<TracedRank> ranks = traced(kWork);
  const runtime::Trace& trace = ranks[1].trace;
  const runtime::Trace read = runtime::deserialise_trace(runtime::serialise(trace));
  ASSERT_EQ(read.events.size(), trace.events.size());
  for (std::size_t i = 0; i < read.events.size(); ++i) {
    EXPECT_EQ(read.events[i].row, trace.events[i].row);
    EXPECT_EQ(read.events[i].name, trace.events[i].name);
    EXPECT_EQ(read.events[i].begin, trace.events[i].begin);
    EXPECT_EQ(read.events[i].end, trace.events[i].end);
    EXPECT_EQ(read.events[i].branch, trace.events[i].branch);
  }
  EXPECT_THROW(runtime::deserialise_trace({}), common::PeerFailedError);
}

}  // namespace
}  // namespace layerpipe::results
