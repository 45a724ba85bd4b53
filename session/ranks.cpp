#include "session/ranks.h"

#include <ATen/Parallel.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "comm/local/local_transport.h"
#include "comm/mpi/launch_environment.h"
#include "comm/mpi/session.h"
#include "common/errors.h"
#include "runtime/device/host_share.h"
#include "runtime/device/locality.h"
#include "session/exit_report.h"

namespace layerpipe::session {
namespace {

using common::ExitCode;

[[noreturn]] void leave(ExitCode code) {
  std::cout.flush();
  std::cerr.flush();
  ::_exit(static_cast<int>(code));
}

// A rank that ends since ranks were asked to stop ends with the code of that.
ExitCode code_of(const comm::Failure& failure) {
  const bool was_stopped =
      failure.blame == comm::Blame::kStopped || failure.blame == comm::Blame::kAllStopped;
  return was_stopped ? interrupted(failure.signal).code : ExitCode::kPeerFailed;
}

// Says why all ranks stop, on the one that is to say it, before mpirun ends them.
void say_failure(const comm::Failure& failure, int rank) {
  if (comm::speaker(failure) != rank) return;
  if (failure.blame == comm::Blame::kAllStopped) return print(interrupted(failure.signal));
  print({.code = ExitCode::kPeerFailed, .what = comm::message(failure), .remedy = comm::remedy(failure)});
}

// Tells the other ranks that this one was asked to stop, and gives the exit code. Says it where all were, on
// the first rank, and where this one was.
ExitCode end_since_asked(comm::Communicator& communicator, int signal, Asked asked) {
  const Failure stopped = interrupted(signal);
  if (asked == Asked::kSilently) return stopped.code;
  if (asked == Asked::kAllRanks && communicator.rank() == 0) print(stopped);
  communicator.abort({.reason = stopped.what,
                      .remedy = {},
                      .blame = asked == Asked::kAllRanks ? comm::Blame::kAllStopped : comm::Blame::kStopped,
                      .signal = signal});
  if (asked == Asked::kAllRanks) return stopped.code;
  // Another rank's end may have come first.
  const auto first = communicator.failure();
  if (!first) return stopped.code;
  say_failure(*first, communicator.rank());
  return code_of(*first);
}

// Tells the other ranks what was thrown here, and says what hearing of it does not. Gives the exit code.
ExitCode end_because(const std::exception_ptr& thrown, comm::Communicator& communicator,
                     const std::string& doing) {
  const Failure failure = explain(thrown, doing);
  try {
    std::rethrow_exception(thrown);
  } catch (const common::AgreedError&) {
    // The first rank says it before any other one ends: mpirun ends all when one has.
    if (communicator.rank() == 0) print(failure);
    try {
      communicator.barrier("ending");
    } catch (const common::PeerFailedError&) {  // it has gone already
    }
  } catch (...) {  // of a failure that it was told of, too: only the first counts
    communicator.abort({.reason = failure.what, .remedy = failure.remedy});
  }
  return failure.code;
}

// The end of a rank that waits in MPI for one that does not come.
[[noreturn]] void end_unmet(const comm::mpi::Absence& absence, const StopRequest& stop) {
  const bool is_silent = stop.signal.load() != 0 && stop.asked.load() == Asked::kSilently;
  if (absence.is_speaker && !is_silent)
    print({.code = ExitCode::kPeerFailed, .what = absence.what, .remedy = absence.remedy});
  leave(ExitCode::kPeerFailed);
}

// The end of a rank that was asked to stop, while it was connecting to the others and one of them ended
// first.
[[noreturn]] void end_unconnected(int signal, Asked asked, int rank) {
  const Failure stopped = interrupted(signal);
  if (asked == Asked::kAllRanks && rank == 0) print(stopped);
  if (asked == Asked::kThisRank) {
    print({.code = stopped.code,
           .what = comm::message(
               {.rank = rank, .doing = "starting", .reason = stopped.what, .blame = comm::Blame::kStopped}),
           .remedy = stopped.remedy});
  }
  leave(stopped.code);
}

// What this rank has heard of a failure, on a thread of the communicator.
struct Hearing {
  std::atomic<bool> has_failed{false};  // and it was not asked to stop before
  std::atomic<ExitCode> code{ExitCode::kPeerFailed};
};

// Ends the process when a rank fails meanwhile.
std::unique_ptr<comm::Communicator> connect(comm::mpi::Session& session, std::chrono::milliseconds timeout,
                                            const std::function<void(const comm::Failure&)>& hear,
                                            const Hearing& heard, const StopRequest& stop) {
  if (session.size() == 1) return session.connect(timeout);
  try {
    return session.connect(timeout, hear);
  } catch (const common::PeerFailedError&) {
    if (!heard.has_failed.load() && stop.signal.load() != 0)
      end_unconnected(stop.signal.load(), stop.asked.load(), session.rank());
    leave(heard.code.load());
  }
}

// Refuses to be one of several that each would do the whole job; one of them says it.
void refuse_to_be_alone(const comm::mpi::LaunchEnvironment& launch) {
  if (!comm::mpi::speaks_for_all(launch)) leave(ExitCode::kInput);
  comm::mpi::throw_not_met(launch);
}

// Tells this rank's keeper, which holds the end of a broken rank back for so long, in whole seconds.
void tell_timeout(std::chrono::milliseconds timeout) {
  const char* file = std::getenv("LAYERPIPE_TIMEOUT_FILE");
  if (file != nullptr)
    std::ofstream(file) << std::chrono::ceil<std::chrono::seconds>(timeout).count() << '\n';
}

}  // namespace

void on_all_ranks(std::chrono::milliseconds timeout, const std::string& doing, const StopRequest& stop,
                  const std::function<void(comm::Communicator&)>& body) {
  const auto launch = comm::mpi::find_launch();
  if (launch && launch->size > 1 && !launch->may_meet) refuse_to_be_alone(*launch);
  if (!launch || !launch->may_meet) {
    const auto alone = std::move(comm::connect_local(1, timeout).front());
    body(*alone);
    return;
  }
  tell_timeout(timeout);
  comm::mpi::Session session(timeout, [&](const comm::mpi::Absence& absence) { end_unmet(absence, stop); });
  if (session.size() == 1 && launch->size > 1) refuse_to_be_alone(*launch);
  // A user's own stop is said when this rank has come to it; and mpirun asks the ranks to stop, too, once one
  // has failed.
  Hearing heard;
  const auto hear = [&](const comm::Failure& failure) {
    if (stop.signal.load() != 0) return;
    heard.code.store(code_of(failure));
    heard.has_failed.store(true);
    say_failure(failure, session.rank());
  };
  const std::unique_ptr<comm::Communicator> communicator = connect(session, timeout, hear, heard, stop);
  try {
    body(*communicator);
    communicator->barrier("ending");
  } catch (...) {
    if (communicator->size() == 1) throw;
    const ExitCode code = explain(std::current_exception(), doing).code;
    const bool was_asked = stop.signal.load() != 0 && !heard.has_failed.load();
    // A rank that was asked to stop may learn of another one's end first.
    if (was_asked && (code == ExitCode::kInterrupted || code == ExitCode::kPeerFailed))
      leave(end_since_asked(*communicator, stop.signal.load(), stop.asked.load()));
    const bool is_cause = !heard.has_failed.load();
    const ExitCode own = end_because(std::current_exception(), *communicator, doing);
    leave(is_cause ? own : heard.code.load());
  }
}

runtime::HostPlace host_place(const comm::Communicator& communicator) {
  runtime::HostPlace place{.index = 0, .count = 0};
  const std::string& mine = communicator.host(communicator.rank());
  for (int rank = 0; rank < communicator.size(); ++rank) {
    if (communicator.host(rank) != mine) continue;
    if (rank < communicator.rank()) ++place.index;
    ++place.count;
  }
  return place;
}

void stay_near(const runtime::DeviceFacts& device) {
  const int cores = runtime::stay_on(runtime::cores_near(device.pci_address));
  if (cores > 0) at::set_num_threads(std::min(cores, at::get_num_threads()));
}

void share_cores(comm::Communicator& communicator) {
  const std::vector<common::CpuPool> pools = runtime::cpu_pools();
  std::vector<std::string> names;
  for (const common::CpuPool& pool : pools) names.push_back(pool.id);
  const std::vector<int> sharers =
      runtime::count_sharers(communicator, names, "counting who shares the cores");
  if (std::getenv("OMP_NUM_THREADS") != nullptr || pools.empty()) return;
  // LibTorch's own choice, which may be one thread for two that share a core, is the most.
  const int threads = std::min(runtime::thread_share(pools, sharers), at::get_num_threads());
  // Not at::set_num_threads: it tells MKL too, which then takes as many within a tile, and adds in another
  // order. LibTorch asks OpenMP on this thread, which does all that is computed.
  ::omp_set_num_threads(threads);
}

}  // namespace layerpipe::session
