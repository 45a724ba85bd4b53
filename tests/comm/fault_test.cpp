// What becomes of the others when a rank is killed, stopped, stalls or throws: real processes, through
// launch/run.sh.
#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/launch/program.h"

namespace layerpipe::testing {
namespace {

using namespace std::chrono_literals;

struct Fault {
  std::string action;
  std::string says;  // of the rank, which is RANK
};
std::ostream& operator<<(std::ostream& out, const Fault& fault) {
  return out << fault.action;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what))
    text.replace(at, what.size(), by);
  return text;
}

// A run of the fault program, whose arguments end with the name of its folder: so that it is found again.
struct FaultRun {
  explicit FaultRun(std::vector<std::string> arguments)
      : program((arguments.push_back(scratch.path()), arguments), scratch.path(),
                {"LAYERPIPE_PROGRAM=" FAULT_RANK}) {}
  int processes() const { return processes_with(scratch.path()); }

  TemporaryFolder scratch;
  Program program;
};

class Faults : public ::testing::TestWithParam<std::tuple<int, Fault>> {};

TEST_P(Faults, EndAllRanksInTimeAndAreNamedOnce) {
  const auto& [ranks, fault] = GetParam();
  for (const int who : {ranks == 3 ? 1 : 0, ranks - 1}) {
    if (ranks == 4 && who == 0) continue;
    const auto begin = std::chrono::steady_clock::now();
    FaultRun run({"-n", std::to_string(ranks), fault.action, std::to_string(who)});
    const Outcome outcome = run.program.wait();
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
    EXPECT_THAT(outcome.err, ::testing::ContainsRegex(replaced(fault.says, "RANK", std::to_string(who))));
    EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
    // A second of timeout, one interval, and what run.sh holds back the end by; starting takes the rest,
    // which is the most where the machine has other work: 16 s of two cores that compiled meanwhile, 3 s
    // else.
    EXPECT_LT(took, 40s);
    if (fault.action != "kill") {  // which is told at once
      EXPECT_GT(took, 1s);
    }
    EXPECT_EQ(run.processes(), 0);
  }
}

const std::string kWhere = R"(rank RANK on host [^ ]+ \(stage RANK: denoise, step 3, request 0\) )";

INSTANTIATE_TEST_SUITE_P(
    RunScript, Faults,
    ::testing::Combine(
        ::testing::Values(2, 3, 4),
        ::testing::Values(Fault{"kill", kWhere + "was killed by signal 9"},
                          Fault{"stop", kWhere + R"(has been silent for 1\.[0-9] s)"},
                          Fault{"stall", kWhere + R"(stands still: nothing moved there for 1\.[0-9] s)"},
                          Fault{"throw", kWhere + "failed: a tensor is not finite"})),
    [](const auto& info) {
      return std::get<1>(info.param).action + "_among_" + std::to_string(std::get<0>(info.param));
    });

// What a rank does before it has met the others, or when there is no work: the others end with 4 and one
// message.
struct Quiet {
  std::string action;
  std::string says;
  std::chrono::seconds at_most;
};
void PrintTo(const Quiet& quiet, std::ostream* out) {
  *out << quiet.action;
}

class QuietFaults : public ::testing::TestWithParam<Quiet> {};

TEST_P(QuietFaults, EndAllRanksInTimeAndAreNamedOnce) {
  for (const int who : {0, 2}) {
    const auto begin = std::chrono::steady_clock::now();
    FaultRun run({"-n", "3", GetParam().action, std::to_string(who)});
    const Outcome outcome = run.program.wait();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, GetParam().at_most);
    EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
    EXPECT_THAT(outcome.err,
                ::testing::ContainsRegex("layerpipe: rank " + std::to_string(who) + GetParam().says));
    EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
    EXPECT_EQ(run.processes(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    RunScript, QuietFaults,
    ::testing::Values(
        Quiet{"start-stop", R"( on host [^ ]+ \(starting\) has not come for 1[6-9]\.[0-9] s)", 40s},
        Quiet{"meet-stop", R"(( on host [^ ]+)? \(starting\) has been silent for [1-3]\.[0-9] s)", 40s},
        Quiet{"start-kill", R"( on host [^ ]+ \(starting\) was killed by signal 9)", 40s},
        Quiet{"idle-stop", R"( on host [^ ]+ \(starting\) has been silent for 1\.[0-9] s)", 20s}),
    [](const auto& info) { return replaced(info.param.action, "-", "_"); });

TEST(RunScript, LeavesTheCodeOfASignalAndNoProcess) {
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    FaultRun run({"-n", "3", "wait", "0"});
    std::this_thread::sleep_for(4s);  // it goes on for ever, so it does not matter how far it is
    run.program.send(signal);
    EXPECT_EQ(run.program.wait().exit_code, code);
    EXPECT_EQ(run.processes(), 0);
  }
}

TEST(RunScript, EndsWithZeroWhenAllIsWell) {
  const Outcome outcome = FaultRun({"-n", "3", "none", "0"}).program.wait();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
}

// TMPDIR of a job as it was where the job was submitted, and one that nobody may write to.
TEST(RunScript, TakesAnotherFolderWhereTmpdirWillNotDo) {
  const TemporaryFolder scratch;
  for (const auto& [folder, why] :
       {std::pair{"/nonexistent", " is not there"}, {"/proc", " cannot be written to"}}) {
    const Outcome outcome = Program({"-n", "2", "none", "0"}, scratch.path(),
                                    {"LAYERPIPE_PROGRAM=" FAULT_RANK, std::string("TMPDIR=") + folder})
                                .wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, ::testing::StartsWith(std::string("==> ") + folder + why));
    EXPECT_THAT(outcome.err, ::testing::EndsWith(", so mpirun's temporary files go to /tmp\n"));
  }
}

// A stand-in for mpirun of an installation that does not work. It knows the options of Open MPI 4 and 5 that
// both have.
TEST(RunScript, ShowsWhyMpirunFails) {
  const TemporaryFolder scratch;
  const auto mpirun = scratch.path() / "mpirun";
  std::ofstream(mpirun) << R"(#!/bin/bash
while (($#)); do
  case "$1" in
    --bind-to | -x | -n) shift 2 ;;
    --mca) shift 3 ;;
    --oversubscribe | --allow-run-as-root) shift ;;
    */keeper) break ;;
    *) echo "unknown option $1" >&2; exit 213 ;;
  esac
done
rule="--------------------------------------------------------------------------"
printf '%s\n' "$rule" "mpirun was unable to launch the specified application" "$rule" >&2
exit 132
)";
  std::filesystem::permissions(mpirun, std::filesystem::perms::owner_all);
  const Outcome outcome = Program({"-n", "2", "none", "0"}, scratch.path(),
                                  {"LAYERPIPE_PROGRAM=" FAULT_RANK,
                                   "PATH=" + scratch.path().string() + ":" + std::getenv("PATH")})
                              .wait();
  EXPECT_EQ(outcome.exit_code, 4);
  const std::string rule(74, '-');
  EXPECT_EQ(outcome.err, rule + "\nmpirun was unable to launch the specified application\n" + rule +
                             "\nlayerpipe: mpirun ended with code 132\n"
                             "  It has said above why, if it has; start again when that is mended.\n");
}

TEST(RunScript, RefusesWhatItCannotUse) {
  const auto refusal = [](const std::vector<std::string>& arguments) {
    const TemporaryFolder scratch;
    const Outcome outcome = Program(arguments, scratch.path(), {"LAYERPIPE_PROGRAM=" FAULT_RANK}).wait();
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.err;
  };
  EXPECT_EQ(refusal({}), "error: a command is missing; launch/run.sh --help shows how to call it\n");
  EXPECT_EQ(refusal({"-n"}), "error: -n needs the number of ranks\n");
  EXPECT_EQ(refusal({"-n", "two", "none"}), "error: -n needs a number of ranks, not two\n");
  EXPECT_EQ(refusal({"-n", "0", "none"}), "error: -n needs a number of ranks, not 0\n");
  EXPECT_EQ(refusal({"-x", "none"}), "error: unknown option -x; launch/run.sh --help lists the options\n");
  EXPECT_EQ(refusal({"--hostfile", "/nonexistent", "none"}),
            "error: the host file /nonexistent cannot be read\n");
}

}  // namespace
}  // namespace layerpipe::testing
