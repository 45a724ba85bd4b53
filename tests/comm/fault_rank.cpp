// A rank for the fault tests: sends boundaries round the ring until one rank meets with what its command line
// says. Ends as layerpipe is to end: one rank prints the message, all leave with _exit().
//
//   fault_rank ACTION RANK       ACTION: none wait kill stop stall throw, on the way of a boundary
//                                or idle-stop, while the ranks wait for work
//                                or start-kill start-stop meet-stop, before the ranks have met
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

#include "comm/mpi/launch_environment.h"
#include "comm/mpi/session.h"
#include "common/errors.h"

namespace {

using namespace layerpipe;
using namespace std::chrono_literals;

std::atomic<int> stop_signal{0};

[[noreturn]] void leave(common::ExitCode code) {
  std::cerr.flush();
  ::_exit(static_cast<int>(code));  // not by MPI_Finalize, which waits for dead ranks
}

// As session/ranks.cpp tells it to the rank's keeper.
constexpr std::chrono::seconds kTimeout{1};
void tell_timeout() {
  if (const char* file = std::getenv("LAYERPIPE_TIMEOUT_FILE"))
    std::ofstream(file) << kTimeout.count() << '\n';
}

void meet(const std::string& action) {
  std::this_thread::sleep_for(300ms);  // the others have heard where this rank is
  if (action == "kill") ::raise(SIGKILL);
  if (action == "stop") ::raise(SIGSTOP);
  if (action == "stall") std::this_thread::sleep_for(60s);
  if (action == "throw") throw common::InternalError("a tensor is not finite");
}

// A picture's way: each rank receives, computes, sends.
void go_round(comm::Communicator& ranks, const std::string& action, bool mine) {
  const auto out = ranks.open_send((ranks.rank() + 1) % ranks.size(), {});
  const auto in = ranks.open_receive((ranks.rank() + ranks.size() - 1) % ranks.size(), {});
  for (int step = 0; action == "wait" || step < 10; ++step) {
    ranks.now_doing("stage " + std::to_string(ranks.rank()) + ": denoise, step " + std::to_string(step) +
                    ", request 0");
    comm::Boundary boundary;
    boundary.tensors.push_back({"hidden_states", at::full({1 << 16}, step, at::kFloat)});
    if (ranks.rank() > 0) boundary = in->receive();
    if (mine && step == 3) meet(action);
    std::this_thread::sleep_for(20ms);
    out->send(std::move(boundary));
    if (ranks.rank() == 0) in->receive();
    if (stop_signal != 0) throw common::InterruptedError();
  }
  out->flush();
}

// The first rank has no work for the others, which wait for it; after more than the timeout one is stopped.
void be_idle(comm::Communicator& ranks, bool mine) {
  if (mine) {
    std::thread([] {
      std::this_thread::sleep_for(2500ms);
      ::raise(SIGSTOP);
    }).detach();
  }
  if (ranks.rank() > 0) ranks.broadcast({}, 0, "waiting for work");
  const comm::IdleScope idle(ranks);
  while (true) {
    ranks.check();
    std::this_thread::sleep_for(50ms);
  }
}

void complain(const std::string& what, const std::string& remedy) {
  std::cerr << "layerpipe: " + what + "\n  " + remedy + "\n";
}

// Before this rank meets the others, or while it does: MPI_Init cannot end without it.
void meet_early(const std::string& action) {
  if (action == "start-kill") ::raise(SIGKILL);
  if (action == "start-stop") ::raise(SIGSTOP);
  if (action != "meet-stop") return;
  const std::string rank = std::to_string(comm::mpi::find_launch()->rank);
  const auto shown = std::filesystem::path(std::getenv("LAYERPIPE_RANKS")) / ("alive." + rank);
  std::thread([shown] {
    while (!std::filesystem::exists(shown)) std::this_thread::sleep_for(1ms);
    ::raise(SIGSTOP);
  }).detach();
}

}  // namespace

int main(int argc, char** argv) {
  const auto note = [](int signal) { stop_signal = signal; };
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
  const std::string action = argc > 1 ? argv[1] : "none";
  const int who = argc > 2 ? std::atoi(argv[2]) : 0;
  tell_timeout();
  if (comm::mpi::find_launch()->rank == who) meet_early(action);
  comm::mpi::Session session(kTimeout, [](const comm::mpi::Absence& absence) {
    if (absence.is_speaker) complain(absence.what, absence.remedy);
    leave(common::ExitCode::kPeerFailed);
  });
  std::unique_ptr<comm::Communicator> ranks;
  try {
    ranks = session.connect(kTimeout, [&](const comm::Failure& failure) {
      if (comm::speaker(failure) == session.rank()) complain(comm::message(failure), comm::remedy(failure));
    });
    ranks->barrier("beginning");
    if (action == "idle-stop") be_idle(*ranks, session.rank() == who);
    go_round(*ranks, action, session.rank() == who);
    ranks->barrier("ending");
  } catch (const common::PeerFailedError& error) {
    leave(error.exit_code());
  } catch (const common::InterruptedError& error) {
    ranks->abort({.reason = error.what(), .remedy = {}});
    leave(stop_signal == SIGTERM ? common::ExitCode::kTerminated : error.exit_code());
  } catch (const common::Error& error) {
    ranks->abort({.reason = error.what(), .remedy = error.remedy()});
    leave(error.exit_code());
  }
  return 0;
}
