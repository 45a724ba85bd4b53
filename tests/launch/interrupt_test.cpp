// Ctrl-C.
#include <signal.h>

#include <chrono>
#include <thread>

#include "tests/launch/program.h"

namespace layerpipe::launch {
namespace {

using layerpipe::testing::Program;

TEST(Interrupt, StopsWithCode130AndLeavesNoFile) {
  const layerpipe::testing::TemporaryFolder folder;
  const auto out = folder.path() / "out";
  auto arguments = layerpipe::testing::decompose_arguments(out);
  *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = "1000";
  Program program(arguments, folder.path());
  // The test's own timeout ends a program that never gets so far.
  while (program.err().find("denoise") == std::string::npos && program.is_running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  program.send(SIGINT);
  const layerpipe::testing::Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130);
  EXPECT_THAT(outcome.err, ::testing::EndsWith("layerpipe: interrupted\n"));
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(layerpipe::testing::files_below(out), ::testing::IsEmpty());
}

}  // namespace
}  // namespace layerpipe::launch
