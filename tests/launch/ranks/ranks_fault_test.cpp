// A rank that is killed, stopped, stalls or throws while it loads, encodes, denoises or decodes: the others
// end in time, with one message that names it. Real processes, through launch/run.sh.
#include <gmock/gmock.h>

#include <chrono>

#include "tests/launch/program.h"

namespace layerpipe::testing {
namespace {

using namespace std::chrono_literals;

struct Fault {
  int ranks;
  std::string action;
  std::string phase;
  int who;
};
std::ostream& operator<<(std::ostream& out, const Fault& fault) {
  return out << fault.action << " rank " << fault.who << " of " << fault.ranks << " while it " << fault.phase
             << "s";
}

// Every action in every phase, with 2, 3 and 4 ranks; each rank has its turn, the first one too.
std::vector<Fault> all_faults() {
  std::vector<Fault> faults;
  int turn = 0;
  for (const char* action : {"kill", "stop", "stall", "throw"}) {
    for (const int ranks : {2, 3, 4}) {
      for (const char* phase : {"load", "encode", "denoise", "decode"})
        faults.push_back({.ranks = ranks, .action = action, .phase = phase, .who = turn++ % ranks});
      ++turn;  // so that a phase does not always meet the same rank
    }
  }
  return faults;
}

const char* what_is_said(const std::string& action) {
  if (action == "kill") return "was killed by signal 9";
  if (action == "throw") return "failed: a test breaks this rank";
  return action == "stall" ? "stands still|has not moved" : "has been silent for [2-4]\\.[0-9] s";
}

class RanksFault : public ::testing::TestWithParam<Fault> {};

TEST_P(RanksFault, EndsTheOthersInTimeAndIsNamed) {
  const Fault& fault = GetParam();
  const TemporaryFolder scratch;
  const int who = fault.who;
  const auto begin = std::chrono::steady_clock::now();
  Program program({"-n", std::to_string(fault.ranks), fault.action, std::to_string(who), fault.phase,
                   demo_model().string(), scratch.path().string()},
                  scratch.path(), {"LAYERPIPE_PROGRAM=" ENGINE_RANK});
  const Outcome outcome = program.wait();
  const auto took = std::chrono::steady_clock::now() - begin;
  // A rank that throws an error of our own making ends with the code of a failed rank, like the others.
  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  EXPECT_THAT(outcome.err,
              ::testing::ContainsRegex("rank " + std::to_string(who) + " on host [^ ]+ \\(stage " +
                                       std::to_string(who) + ": [^)]*\\)"));
  EXPECT_THAT(outcome.err, ::testing::ContainsRegex(what_is_said(fault.action)));
  EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  // Start, a timeout of two seconds, an interval, what run.sh holds the end back by: 6 s of a machine without
  // other work, up to 36 with.
  EXPECT_LT(took, 60s);
  EXPECT_EQ(processes_with(scratch.path()), 0);
}

INSTANTIATE_TEST_SUITE_P(Phases, RanksFault, ::testing::ValuesIn(all_faults()), [](const auto& info) {
  return info.param.action + "_" + info.param.phase + "_of_" + std::to_string(info.param.ranks);
});

}  // namespace
}  // namespace layerpipe::testing
