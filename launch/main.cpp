// The program: parses the command line, runs a command, turns an error into a message and an exit code.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "comm/mpi/launch_environment.h"
#include "comm/run_collectively.h"
#include "common/errors.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"
#include "launch/terminal/visible_output.h"
#include "session/exit_report.h"
#include "session/ranks.h"

namespace {

namespace launch = layerpipe::launch;
namespace session = layerpipe::session;
using layerpipe::common::ExitCode;

// What a signal handler can reach: globals are all there is.
std::atomic<bool> stop_requested{false};
session::StopRequest stop;
std::atomic<pid_t> keeper{0};  // the process of launch/keeper that started this one; 0: none did
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free &&
              std::atomic<session::Asked>::is_always_lock_free && std::atomic<pid_t>::is_always_lock_free);

// How long a rank may tidy up when its keeper has gone, and with it who would end the rank.
constexpr unsigned kTidyingSeconds = 5;

sigset_t stopping_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, signal_number);
  return signals;
}

session::Asked whom_it_asks(int signal_number, const siginfo_t& info) {
  const pid_t parent = ::getppid();
  if (keeper.load() != 0) {
    const bool is_keeper_gone = parent != keeper.load();
    if (signal_number == SIGHUP && (is_keeper_gone || info.si_pid == parent))
      return session::Asked::kSilently;
    // A keeper hands on what one rank was sent by sigqueue(), and what is for all by kill().
    return info.si_code == SI_USER && info.si_pid == parent ? session::Asked::kAllRanks
                                                            : session::Asked::kThisRank;
  }
  // From the terminal, or from the launcher.
  return info.si_code > 0 || info.si_pid == parent ? session::Asked::kAllRanks : session::Asked::kThisRank;
}

void request_stop(int signal_number, siginfo_t* info, void*) {
  const session::Asked asked = whom_it_asks(signal_number, *info);
  if (asked == session::Asked::kSilently) ::alarm(kTidyingSeconds);
  stop.asked.store(asked);
  stop.signal.store(signal_number == SIGINT ? SIGINT : SIGTERM);
  stop_requested.store(true);
}

// Stops at SIGINT, SIGTERM and, unless it is ignored (nohup), SIGHUP. A second one ends the program at once.
void take_signals() {
  if (const char* parent = std::getenv("LAYERPIPE_KEEPER");
      parent != nullptr && std::atoi(parent) == ::getppid())
    keeper.store(::getppid());
  struct sigaction action {};
  action.sa_sigaction = request_stop;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_RESETHAND;
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal_number, nullptr, &before);
    if (signal_number != SIGHUP || before.sa_handler != SIG_IGN) ::sigaction(signal_number, &action, nullptr);
  }
  const sigset_t stopping = stopping_signals();
  ::sigprocmask(SIG_UNBLOCK, &stopping, nullptr);  // prefer_sleeping_threads() holds them back
}

// Makes OpenMP's threads sleep while they wait instead of spinning: beside other busy processes, spinning
// made a run twenty times slower (docs/decisions.md). The OpenMP library reads its settings when it is
// loaded, before main, so the program starts itself again with the setting in place.
void prefer_sleeping_threads(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/1);
  // A signal that comes between here and there waits for the handlers there.
  const sigset_t stopping = stopping_signals();
  ::sigprocmask(SIG_BLOCK, &stopping, nullptr);
  if (!stop_requested.load())
    ::execv("/proc/self/exe", argv);  // comes back only when it failed: spinning is all that is lost
  ::sigprocmask(SIG_UNBLOCK, &stopping, nullptr);
  if (stop_requested.load()) throw layerpipe::common::InterruptedError();
}

void flush_stdout() {
  if (!std::cout.flush()) {
    throw layerpipe::common::OutputError("stdout could not be written", "Check where it was sent to.");
  }
}

int end_with(const session::Failure& failure) {
  session::print(failure);
  return static_cast<int>(failure.code);
}

// A command line that is wrong is said by one rank for all: those that find it wrong meet those that do not,
// which call agree_on_the_command_line() in the course of their command.
constexpr std::chrono::seconds kAgreeing{20};

void agree_on_the_command_line(layerpipe::comm::Communicator& communicator, const std::exception_ptr& wrong) {
  layerpipe::comm::run_collectively(communicator, "reading the command line", [&] {
    if (wrong) std::rethrow_exception(wrong);
  });
}

launch::PreparedCommand parse(int argc, char** argv, const std::string& doing) {
  try {
    return launch::parse_command_line(argc, argv, launch::all_commands());
  } catch (const layerpipe::common::InputError&) {
    const std::exception_ptr wrong = std::current_exception();
    session::on_all_ranks(kAgreeing, doing, stop, [&](layerpipe::comm::Communicator& communicator) {
      agree_on_the_command_line(communicator, wrong);
    });
    throw;
  }
}

// Runs the command that was asked for and notes in `doing` what it is at. Throws.
void run(int argc, char** argv, std::string& doing) {
  const launch::PreparedCommand command = parse(argc, argv, doing);
  const auto run_with = [&](layerpipe::comm::Communicator* communicator) {
    {
      launch::VisibleOutput out(std::cout);
      command.run({communicator, stop_requested, out.stream(), doing});
    }
    flush_stdout();
  };
  if (command.load == launch::Load::kComputing) prefer_sleeping_threads(argv);
  if (command.timeout_of_ranks) {
    session::on_all_ranks(*command.timeout_of_ranks, doing, stop,
                          [&](layerpipe::comm::Communicator& communicator) {
                            agree_on_the_command_line(communicator, nullptr);
                            run_with(&communicator);
                          });
  } else if (const auto started = layerpipe::comm::mpi::find_launch();
             !started || !started->may_meet || started->rank == 0) {
    run_with(nullptr);  // the others of an MPI launcher have nothing to do
  }
}

}  // namespace

int main(int argc, char** argv) {
  take_signals();
  std::string doing;
  try {
    run(argc, argv, doing);
  } catch (const layerpipe::common::InterruptedError&) {
    const session::Failure stopped = session::interrupted(stop.signal.load());
    return stop.asked.load() == session::Asked::kSilently ? static_cast<int>(stopped.code)
                                                          : end_with(stopped);
  } catch (...) {
    return end_with(session::explain(std::current_exception(), doing));
  }
  return static_cast<int>(ExitCode::kDone);
}
