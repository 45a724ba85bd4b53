// Ctrl-C, and what a system sends to a program that has to end.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "common/files.h"
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
                         ::testing::Values(Stop{"CtrlC", SIGINT, 130, "layerpipe: interrupted\n"},
                                           Stop{"Terminated", SIGTERM, 143, "layerpipe: terminated\n"}),
                         [](const auto& info) { return info.param.name; });

// A second run into the folder of a finished one.
class SecondRun : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto outcome = layerpipe::testing::run_program(arguments({"--format", "png,ora"}));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    ASSERT_EQ(layerpipe::testing::run_program({"report", out_ / "run.json"}).exit_code, 0);
    before_ = contents();
    ASSERT_TRUE(before_.contains("report.html"));
  }
  std::vector<std::string> arguments(const std::vector<std::string>& more) const {
    return layerpipe::testing::decompose_arguments(out_, more);
  }
  // One that gets to denoising and stays there.
  std::unique_ptr<Program> begin_long_run() const {
    auto words = arguments({});
    *(std::find(words.begin(), words.end(), "--steps") + 1) = "1000";
    auto program = std::make_unique<Program>(words, folder_.path());
    while (program->err().find("denoise") == std::string::npos && program->is_running())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return program;
  }
  // Without the marks of a process that was killed.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const std::string& name : layerpipe::testing::files_below(out_)) {
      if (!name.starts_with(".layerpipe")) all[name] = common::read_text_file(out_ / name);
    }
    return all;
  }

  layerpipe::testing::TemporaryFolder folder_;
  std::filesystem::path out_ = folder_.path() / "out";
  std::map<std::string, std::string> before_;
};

TEST_F(SecondRun, LeavesTheFirstOneWholeWhenItIsInterrupted) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto program = begin_long_run();
    program->send(signal);
    EXPECT_EQ(program->wait().exit_code, signal == SIGINT ? 130 : 143);
    EXPECT_TRUE(contents() == before_);
    EXPECT_EQ(layerpipe::testing::files_below(out_).size(), before_.size());  // no parts
  }
}

TEST_F(SecondRun, IsRefusedWhileAnotherOneIsAtWork) {
  const auto program = begin_long_run();
  for (const auto& words : {arguments({}), arguments({"--num-images", "2"}), arguments({"--overwrite"}),
                            std::vector<std::string>{"export", "--in", out_, "--format", "psd"},
                            std::vector<std::string>{"report", out_ / "run.json"}}) {
    const auto outcome = layerpipe::testing::run_program(words);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.err, ::testing::MatchesRegex("layerpipe: another run writes into " + out_.string() +
                                                     ": process [0-9]+ on [^\n]+\n  Wait until it has "
                                                     "ended, or choose another folder.\n"));
  }
  program->send(SIGKILL);
  program->wait();
  EXPECT_TRUE(contents() == before_);
  EXPECT_EQ(layerpipe::testing::run_program(arguments({})).exit_code, 0);
  EXPECT_THAT(layerpipe::testing::files_below(out_),
              ::testing::ElementsAre("composite.png", "layer_0.png", "layer_1.png", "run.json"));
}

// At any time, most of them while it writes. tests/results/result_folder_test.cpp has every moment of putting
// the files in their places.
TEST_F(SecondRun, LeavesAWholeResultWhereverItIsKilled) {
  const std::vector<std::string> words = arguments({"--format", "png,ora,psd,pptx,zip,html", "--seed", "2"});
  std::filesystem::copy(out_, folder_.path() / "first", std::filesystem::copy_options::recursive);
  ASSERT_EQ(layerpipe::testing::run_program(words).exit_code, 0);
  const auto names = layerpipe::testing::files_below(out_);
  std::mt19937 random(19);
  int killed = 0;
  for (int i = 0; i < 6; ++i) {
    std::filesystem::remove_all(out_);
    std::filesystem::copy(folder_.path() / "first", out_, std::filesystem::copy_options::recursive);
    Program program(words, folder_.path());
    while (program.err().find("decode 0 of") == std::string::npos && program.is_running())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 200000));
    program.send(SIGKILL);
    if (program.wait().exit_code == 128 + SIGKILL) ++killed;
    // Ends what the run had begun, if it had.
    EXPECT_EQ(layerpipe::testing::run_program({"export", "--in", out_, "--out", folder_.path() / "again",
                                               "--format", "ora", "--overwrite"})
                  .exit_code,
              0);
    const auto found = contents();
    std::vector<std::string> found_names;
    for (const auto& [name, content] : found) found_names.push_back(name);
    EXPECT_TRUE(found == before_ || found_names == names) << ::testing::PrintToString(found_names);
    EXPECT_EQ(layerpipe::testing::run_program(words).exit_code, 0);
    EXPECT_EQ(layerpipe::testing::files_below(out_), names);
  }
  EXPECT_GT(killed, 0);
}

}  // namespace
}  // namespace layerpipe::launch
