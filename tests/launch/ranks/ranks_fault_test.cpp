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
  const char* action;
  const char* phase;
};
std::ostream& operator<<(std::ostream& out, const Fault& fault) {
  return out << fault.action << " one of " << fault.ranks << " while it " << fault.phase << "s";
}

const char* what_is_said(const std::string& action) {
  if (action == "throw") return "failed: a test breaks this rank";
  return action == "stall" ? "stands still|has not moved" : "has been silent for [12]\\.[0-9] s";
}

class RanksFault : public ::testing::TestWithParam<Fault> {};

TEST_P(RanksFault, EndsTheOthersInTimeAndIsNamed) {
  const Fault& fault = GetParam();
  const TemporaryFolder scratch;
  const int who = fault.ranks - 1;
  const auto begin = std::chrono::steady_clock::now();
  Program program({"-n", std::to_string(fault.ranks), fault.action, std::to_string(who), fault.phase,
                   demo_model().string(), "--timeout", "1s", scratch.path().string()},
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
  EXPECT_LT(took, 20s);  // start, a timeout of a second, an interval, what run.sh holds the end back by
  EXPECT_EQ(processes_with(scratch.path()), 0);
}

INSTANTIATE_TEST_SUITE_P(Phases, RanksFault,
                         ::testing::Values(Fault{3, "kill", "load"}, Fault{3, "kill", "encode"},
                                           Fault{2, "kill", "denoise"}, Fault{4, "kill", "decode"},
                                           Fault{2, "stop", "load"}, Fault{3, "stop", "encode"},
                                           Fault{4, "stop", "denoise"}, Fault{3, "stop", "decode"},
                                           Fault{3, "stall", "load"}, Fault{2, "stall", "encode"},
                                           Fault{3, "stall", "denoise"}, Fault{3, "stall", "decode"},
                                           Fault{3, "throw", "load"}, Fault{3, "throw", "encode"},
                                           Fault{4, "throw", "denoise"}, Fault{2, "throw", "decode"}),
                         [](const auto& info) {
                           return std::string(info.param.action) + "_" + info.param.phase + "_of_" +
                                  std::to_string(info.param.ranks);
                         });

}  // namespace
}  // namespace layerpipe::testing
