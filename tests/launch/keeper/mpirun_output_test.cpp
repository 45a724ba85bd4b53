// What mpirun of Open MPI 4.1.4 and 5.0.11 wrote when ranks ended, and what is to be shown of it.
#include "launch/keeper/mpirun_output.h"

#include <gtest/gtest.h>

namespace layerpipe::launch {
namespace {

const std::string kRule = std::string(74, '-') + "\n";
const std::string kMessage = "layerpipe: rank 1 on host h was killed by signal 9\n  Look for it.\n";

std::string box(const std::string& text) {
  return kRule + text + kRule;
}

// Ends of ranks, of version 4 and of version 5.
const std::string kEnds[] = {
    box("Primary job  terminated normally, but 1 process returned\na non-zero exit code. Per user-direction, "
        "the job has been aborted.\n"),
    box("mpirun detected that one or more processes exited with non-zero status, thus causing\nthe job to be "
        "terminated. The first process to do so was:\n\n  Process name: [[21425,1],1]\n  Exit code:    3\n"),
    box("mpirun noticed that process rank 1 with PID 0 on node vm exited on signal 15 (Terminated).\n"),
    box("prterun detected that one or more processes exited with non-zero status,\nthus causing the job to "
        "be "
        "terminated. The first process to do so was:\n\n   Process name: [prterun-vm-16253@1,1]\n   Exit "
        "code:  "
        "  3\n"),
    box("prterun noticed that process rank 1 with PID 16263 on node vm exited on\nsignal 9 (Killed).\n"),
};
const std::string kReason =
    box("mpirun was unable to launch the specified application as it could not access\nor execute an "
        "executable:\n\n"
        "Executable: /nonexist\nNode: vm\n\nwhile attempting to start process rank 0.\n");

TEST(MpirunOutput, HoldsBackThatARankHasEnded) {
  for (const std::string& end : kEnds) {
    MpirunOutput output;
    EXPECT_EQ(output.take(kMessage + end + "more\n"), kMessage + "more\n");
    EXPECT_EQ(output.flush(), "");
    EXPECT_EQ(output.held_back(), end);
  }
}

TEST(MpirunOutput, ShowsEveryOtherReason) {
  MpirunOutput output;
  EXPECT_EQ(output.take(kReason + "2 total processes failed to start\n"),
            kReason + "2 total processes failed to start\n");
  EXPECT_EQ(output.held_back(), "");
  EXPECT_FALSE(output.has_message());
}

TEST(MpirunOutput, DoesNotDependOnHowItWasCut) {
  const std::string all = "a line\n" + kEnds[0] + kReason + kMessage + kEnds[4] + "the end\n";
  for (const std::size_t piece : {1U, 7U, 60U, 1000U}) {
    MpirunOutput output;
    std::string shown;
    for (std::size_t at = 0; at < all.size(); at += piece)
      shown += output.take(std::string_view(all).substr(at, piece));
    EXPECT_EQ(shown, "a line\n" + kReason + kMessage + "the end\n") << piece;
    EXPECT_EQ(output.held_back(), kEnds[0] + kEnds[4]) << piece;
    EXPECT_TRUE(output.has_message()) << piece;
  }
}

TEST(MpirunOutput, HoldsBackThatASignalIsHandedOn) {
  MpirunOutput output;
  EXPECT_EQ(output.take("mpirun: Forwarding signal 10 to job\n"), "");
  EXPECT_EQ(output.held_back(), "mpirun: Forwarding signal 10 to job\n");
}

TEST(MpirunOutput, ShowsALineWithoutItsEndAndARuleOfARankWhenNothingMoreComes) {
  MpirunOutput output;
  EXPECT_EQ(output.take("step 3 of 9"), "");
  EXPECT_EQ(output.flush(), "step 3 of 9");
  EXPECT_EQ(output.take(kRule + "a table\n"), "");
  EXPECT_EQ(output.flush(), kRule + "a table\n");
}

TEST(MpirunOutput, LetsAMessageThroughThatComesAmongTheLinesOfABox) {
  MpirunOutput output;
  EXPECT_EQ(output.take(kRule + "layerpipe: interrupted\n" + kEnds[2].substr(kRule.size())),
            "layerpipe: interrupted\n");
  EXPECT_TRUE(output.has_message());
  EXPECT_EQ(output.held_back(), kEnds[2]);
}

}  // namespace
}  // namespace layerpipe::launch
