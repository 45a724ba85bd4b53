// Ctrl-C, and what a system sends to a program that has to end.
#include <signal.h>

#include <chrono>
#include <thread>

#include "tests/launch/program.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::Program;

struct Stop {
  const char* name;
  int signal;
  int exit_code;
  const char* message;
};

class Interrupt : public ::testing::TestWithParam<Stop> {};

TEST_P(Interrupt, StopsWithItsCodeAndLeavesNoFile) {
  const layerpipe::testing::TemporaryFolder folder;
  const auto out = folder.path() / "out";
  auto arguments = layerpipe::testing::decompose_arguments(out);
  *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = "1000";
  Program program(arguments, folder.path());
  // The test's own timeout ends a program that never gets so far.
  while (program.err().find("denoise") == std::string::npos && program.is_running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  program.send(GetParam().signal);
  const layerpipe::testing::Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, GetParam().exit_code);
  EXPECT_THAT(outcome.err, ::testing::EndsWith(GetParam().message));
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(layerpipe::testing::files_below(out), ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Signals, Interrupt,
                         ::testing::Values(Stop{"CtrlC", SIGINT, 130, "layerpipe: session::interrupted\n"},
                                           Stop{"Terminated", SIGTERM, 143, "layerpipe: terminated\n"}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace layerpipe::launch
