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
#include "comm/mpi/session.h"
#include "common/errors.h"
#include "runtime/device/host_share.h"
#include "runtime/device/locality.h"
#include "session/exit_report.h"

namespace layerpipe::session {
namespace {

using common::ExitCode;

// Says why all ranks stop, on the one that is to say it, before mpirun ends them.
void say_failure(const comm::Failure& failure, int rank) {
  if (comm::speaker(failure) != rank) return;
  print({.code = ExitCode::kPeerFailed, .what = comm::message(failure), .remedy = comm::remedy(failure)});
}

// Tells the other ranks what was thrown here, and says what say_failure() does not. Gives the exit code.
ExitCode end_because(const std::exception_ptr& thrown, comm::Communicator& communicator,
                     const std::string& doing, int stop_signal) {
  const bool is_first = communicator.rank() == 0;
  const Failure failure = explain(thrown, doing);
  // A rank that was asked to stop may learn of another one's end first.
  if (stop_signal != 0 && (failure.code == ExitCode::kInterrupted || failure.code == ExitCode::kPeerFailed)) {
    const Failure stopped = interrupted(stop_signal);
    if (is_first) print(stopped);
    communicator.abort({.reason = stopped.what, .remedy = {}, .blame = comm::Blame::kStopped});
    return stopped.code;
  }
  try {
    std::rethrow_exception(thrown);
  } catch (const common::AgreedError&) {
    // The first rank says it before any other one ends: mpirun ends all when one has.
    if (is_first) print(failure);
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
[[noreturn]] void end_unmet(const comm::mpi::Absence& absence) {
  if (absence.is_speaker)
    print({.code = ExitCode::kPeerFailed, .what = absence.what, .remedy = absence.remedy});
  std::cerr.flush();
  ::_exit(static_cast<int>(ExitCode::kPeerFailed));
}

// Ends the process when a rank fails meanwhile, which `hear` has said unless this rank was asked to stop.
std::unique_ptr<comm::Communicator> connect(comm::mpi::Session& session, std::chrono::milliseconds timeout,
                                            const std::function<void(const comm::Failure&)>& hear,
                                            const std::atomic<int>& stop_signal) {
  if (session.size() == 1) return session.connect(timeout);
  try {
    return session.connect(timeout, hear);
  } catch (const common::PeerFailedError&) {
    if (stop_signal.load() != 0) throw;
    std::cerr.flush();
    ::_exit(static_cast<int>(ExitCode::kPeerFailed));
  }
}

// Tells launch/rank.sh, which holds the end of a broken rank back for so long, in whole seconds.
void tell_timeout(std::chrono::milliseconds timeout) {
  const char* file = std::getenv("LAYERPIPE_TIMEOUT_FILE");
  if (file != nullptr)
    std::ofstream(file) << std::chrono::ceil<std::chrono::seconds>(timeout).count() << '\n';
}

}  // namespace

void on_all_ranks(std::chrono::milliseconds timeout, const std::string& doing,
                  const std::atomic<int>& stop_signal, const std::function<void(comm::Communicator&)>& body) {
  if (!comm::mpi::started_by_mpirun()) {
    const auto alone = std::move(comm::connect_local(1, timeout).front());
    body(*alone);
    return;
  }
  tell_timeout(timeout);
  comm::mpi::Session session(timeout, [](const comm::mpi::Absence& absence) { end_unmet(absence); });
  // A user's own stop is said when this rank has come to it; and mpirun asks the ranks to stop, too, once one
  // has failed.
  std::atomic<bool> peer_failed{false};
  const auto hear = [&](const comm::Failure& failure) {
    if (stop_signal.load() != 0) return;
    peer_failed.store(true);
    say_failure(failure, session.rank());
  };
  const std::unique_ptr<comm::Communicator> communicator = connect(session, timeout, hear, stop_signal);
  try {
    body(*communicator);
    communicator->barrier("ending");
  } catch (...) {
    if (communicator->size() == 1) throw;
    const bool is_cause = !peer_failed.load();
    ExitCode code =
        end_because(std::current_exception(), *communicator, doing, is_cause ? stop_signal.load() : 0);
    if (!is_cause) code = ExitCode::kPeerFailed;
    std::cout.flush();
    std::cerr.flush();
    ::_exit(static_cast<int>(code));
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
