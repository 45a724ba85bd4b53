// The program: parses the command line, runs a command, turns an error into a message and an exit code.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "comm/mpi/session.h"
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
std::atomic<int> stop_signal{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void request_stop(int signal_number) {
  stop_signal.store(signal_number);
  stop_requested.store(true);
  std::signal(signal_number, SIG_DFL);  // a second Ctrl-C ends the program at once
}

// Makes OpenMP's threads sleep while they wait instead of spinning: beside other busy processes, spinning
// made a run twenty times slower (docs/decisions.md). The OpenMP library reads its settings when it is
// loaded, before main, so the program starts itself again with the setting in place.
void prefer_sleeping_threads(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/1);
  ::execv("/proc/self/exe", argv);  // comes back only when it failed; then spinning is all that is lost
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
    session::on_all_ranks(kAgreeing, doing, stop_signal, [&](layerpipe::comm::Communicator& communicator) {
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
    session::on_all_ranks(*command.timeout_of_ranks, doing, stop_signal,
                          [&](layerpipe::comm::Communicator& communicator) {
                            agree_on_the_command_line(communicator, nullptr);
                            run_with(&communicator);
                          });
  } else if (layerpipe::comm::mpi::rank_from_mpirun() == 0) {  // the others have nothing to do
    run_with(nullptr);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  std::string doing;
  try {
    run(argc, argv, doing);
  } catch (const layerpipe::common::InterruptedError&) {
    return end_with(session::interrupted(stop_signal.load()));
  } catch (...) {
    return end_with(session::explain(std::current_exception(), doing));
  }
  return static_cast<int>(ExitCode::kDone);
}
