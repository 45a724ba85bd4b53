// How a run of the program over several ranks ends before its time: a signal to launch/run.sh or to one rank.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <optional>
#include <thread>

#include "common/files.h"
#include "tests/launch/program.h"

namespace layerpipe::testing {
namespace {

using namespace std::chrono_literals;

// What a killed rank leaves: nobody holds it any more (results/folder_lock.h).
constexpr const char* kLockName = ".layerpipe.lock";

// The process of that rank of the run that has `word` in its command line.
std::optional<pid_t> process_of_rank(int rank, const std::string& word) {
  const std::string mark = "OMPI_COMM_WORLD_RANK=" + std::to_string(rank) + '\0';
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string line = contents_of_process(entry.path() / "cmdline");
    if (!line.starts_with(LAYERPIPE_BINARY) || line.find(word) == std::string::npos) continue;
    if (contents_of_process(entry.path() / "environ").find(mark) != std::string::npos)
      return static_cast<pid_t>(std::stol(entry.path().filename().string()));
  }
  return {};
}

// A run of two ranks that takes longer than the test; waits until it denoises.
class LongRun {
 public:
  explicit LongRun(const std::string& config = "") {
    auto arguments = decompose_arguments(out());
    *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = "1000";
    if (!config.empty()) {
      common::write_file_atomically(folder_.path() / "run.yaml", config);
      arguments.insert(arguments.end(), {"--partition", folder_.path() / "run.yaml"});
    }
    arguments.insert(arguments.begin(), {"-n", "2"});
    program_.emplace(arguments, folder_.path(),
                     std::vector<std::string>{"LAYERPIPE_PROGRAM=" LAYERPIPE_BINARY});
    while (program_->err().find("denoise step") == std::string::npos && program_->is_running())
      std::this_thread::sleep_for(10ms);
    std::this_thread::sleep_for(1500ms);  // the ranks have heard what each is at: they tell it once a second
  }

  std::filesystem::path out() const { return folder_.path() / "out"; }
  void send(int signal_number) const { program_->send(signal_number); }
  void send_to_rank(int rank, int signal_number) const {
    const std::optional<pid_t> process = process_of_rank(rank, folder_.path());
    ASSERT_TRUE(process.has_value()) << "rank " << rank << " does not run: " << program_->err();
    ::kill(*process, signal_number);
  }

  // Ends with that code and one message, and leaves neither a file nor a process.
  void expect_end(int code, const std::string& message) {
    const auto begin = std::chrono::steady_clock::now();
    const Outcome outcome = program_->wait();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 25s);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_THAT(outcome.err, ::testing::ContainsRegex("layerpipe: " + message));
    EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(files_below(out()), ::testing::Each(kLockName));
    EXPECT_EQ(processes_with(folder_.path()), 0);
  }

 private:
  TemporaryFolder folder_;
  std::optional<Program> program_;
};

TEST(RanksEnd, AtCtrlC) {
  LongRun run;
  run.send(SIGINT);
  run.expect_end(130, "interrupted");
}

// Wherever it is met: in bash, in its keeper, while mpirun starts, while a rank is loaded or meets the
// others.
TEST(RanksEnd, AtCtrlCInItsFirstMoments) {
  for (const auto after : {0ms, 5ms, 10ms, 20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1280ms}) {
    const TemporaryFolder folder;
    auto arguments = decompose_arguments(folder.path() / "out");
    *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = "1000";
    arguments.insert(arguments.begin(), {"-n", "2"});
    Program program(arguments, folder.path(), {"LAYERPIPE_PROGRAM=" LAYERPIPE_BINARY});
    std::this_thread::sleep_for(after);
    program.send(SIGINT);
    const Outcome outcome = program.wait();
    EXPECT_EQ(outcome.exit_code, 130) << after.count() << " ms: " << outcome.err;
    EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
    EXPECT_EQ(processes_with(folder.path()), 0);
  }
}

// Also where the ranks do not listen.
TEST(RanksEnd, AtASecondCtrlCAtOnce) {
  LongRun run("comm: {timeout: 60s}\n");
  for (const int rank : {0, 1}) run.send_to_rank(rank, SIGSTOP);
  run.send(SIGINT);
  std::this_thread::sleep_for(500ms);
  run.send(SIGINT);
  run.expect_end(130, "interrupted");
}

TEST(RanksEnd, WhenTheRunIsTerminated) {
  LongRun run;
  run.send(SIGTERM);
  run.expect_end(143, "terminated");
}

TEST(RanksEnd, WhenOneOfThemIsTerminated) {
  LongRun run;
  run.send_to_rank(1, SIGTERM);
  run.expect_end(143, "rank 1 on host [^ ]+ \\(stage 1: [^)]*\\) .*terminated");
}

TEST(RanksEnd, WhenTheFirstOfThemIsTerminated) {
  LongRun run;
  run.send_to_rank(0, SIGTERM);
  run.expect_end(143, "rank 0 on host [^ ]+ \\(stage 0: [^)]*\\) was asked to stop: terminated");
}

TEST(RanksEnd, WhenOneOfThemIsInterrupted) {
  LongRun run;
  run.send_to_rank(1, SIGINT);
  run.expect_end(130, "rank 1 on host [^ ]+ \\(stage 1: [^)]*\\) was asked to stop: interrupted");
}

// Its keeper tells the others, so nobody has to wait for the timeout.
TEST(RanksEnd, WhenOneOfThemIsKilledIsToldAtOnce) {
  for (const int rank : {0, 1}) {
    LongRun run("comm: {timeout: 60s}\n");
    const auto begin = std::chrono::steady_clock::now();
    run.send_to_rank(rank, SIGKILL);
    const std::string number = std::to_string(rank);
    run.expect_end(
        4, "rank " + number + " on host [^ ]+ \\(stage " + number + ": [^)]*\\) was killed by signal 9");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  }
}

TEST(RanksEnd, WhenOneOfThemIsStoppedForTheTimeoutOfTheConfig) {
  LongRun run("comm: {timeout: 2500ms}\n");
  run.send_to_rank(1, SIGSTOP);
  run.expect_end(4, "rank 1 on host [^ ]+ \\(stage 1: [^)]*\\) has been silent for [2-4]\\.[0-9] s");
}

// Before it has met the others, at different places of its start.
TEST(RanksEnd, WhenOneOfThemIsStoppedInItsFirstSecond) {
  for (const auto after : {0ms, 150ms, 500ms, 900ms}) {
    const TemporaryFolder folder;
    auto arguments = decompose_arguments(folder.path() / "out", {"--timeout", "3s"});
    *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = "1000";
    arguments.insert(arguments.begin(), {"-n", "2"});
    const auto begin = std::chrono::steady_clock::now();
    Program program(arguments, folder.path(), {"LAYERPIPE_PROGRAM=" LAYERPIPE_BINARY});
    std::optional<pid_t> process;
    while (!process && program.is_running()) process = process_of_rank(1, folder.path());
    ASSERT_TRUE(process.has_value()) << program.err();
    std::this_thread::sleep_for(after);
    ::kill(*process, SIGSTOP);
    const Outcome outcome = program.wait();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 40s);
    EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
    EXPECT_THAT(outcome.err, ::testing::ContainsRegex(
                                 "layerpipe: rank 1( on host [^ ]+)?( \\([^)]*\\))? has (been silent|not "
                                 "come) for [0-9]+\\.[0-9] s"));
    EXPECT_EQ(outcome.err.find("layerpipe:"), outcome.err.rfind("layerpipe:")) << outcome.err;
    EXPECT_EQ(processes_with(folder.path()), 0);
  }
}

// Eight results of two ranks: the second one is killed when the first result is there.
TEST(RanksEnd, KeepsWholeResultsOnlyWhenARankIsKilledWhileTheyAreWritten) {
  const TemporaryFolder folder;
  const auto out = folder.path() / "out";
  auto arguments = decompose_arguments(out, {"--num-images", "8", "--timeout", "3s"});
  *(std::find(arguments.begin(), arguments.end(), "--resolution") + 1) = "128";
  arguments.insert(arguments.begin(), {"-n", "2"});
  Program program(arguments, folder.path(), {"LAYERPIPE_PROGRAM=" LAYERPIPE_BINARY});
  while (!std::filesystem::exists(out / "0" / "run.json") && program.is_running())
    std::this_thread::sleep_for(1ms);
  const std::optional<pid_t> process = process_of_rank(1, folder.path());
  ASSERT_TRUE(process.has_value()) << program.err();
  ::kill(*process, SIGKILL);
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  int whole = 0;
  for (int i = 0; i < 8; ++i) {
    const auto result = out / std::to_string(i);
    const bool has_report = std::filesystem::exists(result / "run.json");
    whole += has_report ? 1 : 0;
    for (const std::string& file : files_below(result))
      EXPECT_TRUE(!file.starts_with(".") || file == kLockName) << file;
    if (!has_report) continue;
    for (const char* file : {"layer_0.png", "layer_1.png", "composite.png"})
      EXPECT_TRUE(std::filesystem::exists(result / file)) << file << " of result " << i;
  }
  EXPECT_GE(whole, 1);
  EXPECT_LT(whole, 8);
}

}  // namespace
}  // namespace layerpipe::testing
