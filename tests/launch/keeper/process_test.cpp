// Processes that are started, looked at and ended, with the real system.
#include "launch/keeper/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <system_error>
#include <thread>

#include "tests/support/temporary_folder.h"

namespace layerpipe::launch {
namespace {

using namespace std::chrono_literals;

// Until it has ended or changed; the test's own timeout ends one that never does.
ChildChange wait_for(pid_t child) {
  while (true) {
    const ChildChange change = look_at_child(child);
    if (change.end || change.is_stopped) return change;
    std::this_thread::sleep_for(1ms);
  }
}

TEST(Process, TellsHowAChildEnded) {
  const auto code = wait_for(start({.words = {"sh", "-c", "exit 3"}}));
  EXPECT_EQ(code.end->code, 3);
  EXPECT_EQ(code.end->signal, 0);
  EXPECT_EQ(to_string(*code.end), "ended with code 3");
  const auto killed = wait_for(start({.words = {"sh", "-c", "kill -9 $$"}}));
  EXPECT_EQ(killed.end->code, 137);
  EXPECT_EQ(to_string(*killed.end), "was killed by signal 9");
}

TEST(Process, TellsThatAChildIsStopped) {
  const pid_t child = start({.words = {"sh", "-c", "kill -STOP $$; exit 4"}});
  EXPECT_TRUE(wait_for(child).is_stopped);
  EXPECT_TRUE(ProcessStatus::of(child)->is_stopped());
  ::kill(child, SIGCONT);
  EXPECT_EQ(wait_for(child).end->code, 4);
  EXPECT_FALSE(ProcessStatus::of(child).has_value());
}

TEST(Process, CannotBeStartedWithoutAProgram) {
  EXPECT_THROW(start({.words = {"/nonexistent/program"}}), std::system_error);
}

// What is sent to mpirun waits there until its watcher has seen it.
TEST(Process, HoldsASignalThatIsBlocked) {
  const pid_t child = start({.words = {"sleep", "60"}, .blocked = {SIGTERM}});
  EXPECT_FALSE(ProcessStatus::of(child)->holds(SIGTERM));
  ::kill(child, SIGTERM);
  EXPECT_TRUE(ProcessStatus::of(child)->holds(SIGTERM));
  EXPECT_FALSE(ProcessStatus::of(child)->holds(SIGINT));
  EXPECT_FALSE(ProcessStatus::of(child)->catches(SIGTERM));
  ::kill(child, SIGKILL);
  EXPECT_EQ(wait_for(child).end->signal, SIGKILL);
}

TEST(Process, IsToldOfItsParentsDeath) {
  const testing::TemporaryFolder scratch;
  const auto file = scratch.path() / "told";
  const pid_t parent = ::fork();
  if (parent == 0) {
    start({.words = {"sh", "-c",
                     "trap 'echo told >" + file.string() + "; exit' HUP; while :; do sleep 0.01; done"},
           .signal_at_our_death = SIGHUP});
    std::this_thread::sleep_for(500ms);  // the shell has set its trap
    ::raise(SIGKILL);
  }
  EXPECT_EQ(wait_for(parent).end->signal, SIGKILL);
  while (!std::filesystem::exists(file)) std::this_thread::sleep_for(1ms);
}

TEST(Process, IsFoundByItsEnvironmentAndEndedAlthoughItIsStopped) {
  const testing::TemporaryFolder scratch;
  const std::string value = scratch.path();
  const std::string mark = "LAYERPIPE_TEST_MARK=" + value;
  EXPECT_TRUE(processes_started_with(mark).empty());
  // One that would not end by itself, and one of another mark that has the same beginning.
  const pid_t deaf =
      start({.words = {"sh", "-c", "trap '' TERM HUP; kill -STOP $$; while :; do sleep 0.01; done"},
             .environment = {{"LAYERPIPE_TEST_MARK", value}}});
  const pid_t other =
      start({.words = {"sleep", "60"}, .environment = {{"LAYERPIPE_TEST_MARK", value + "2"}}});
  while (!ProcessStatus::of(deaf)->is_stopped()) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(processes_started_with(mark), std::vector<pid_t>{deaf});
  end_processes_started_with(mark, 100ms);
  EXPECT_TRUE(processes_started_with(mark).empty());
  EXPECT_TRUE(ProcessStatus::of(other)->is_running());
  ::kill(other, SIGKILL);
  wait_for(other);
}

}  // namespace
}  // namespace layerpipe::launch
