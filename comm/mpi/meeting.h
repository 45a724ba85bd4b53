// The deadline of the ranks' start: MPI_Init waits for all ranks, however long that takes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "comm/failure.h"
#include "comm/rank_folder.h"

namespace layerpipe::comm::mpi {

// How long ranks may take to come to the meeting beyond the timeout: for a program to start once
// its keeper has, and for mpirun to start all of them.
inline constexpr std::chrono::seconds kStarting{15};
inline constexpr std::chrono::seconds kMeeting{60};

// Who is missing.
struct Absence {
  std::string what;    // a sentence without its full stop; names the rank and its host where they are known
  std::string remedy;  // what to do next
  bool is_speaker = false;  // whether this rank is to say it: one of each host is
};

// Whether the meeting has failed, by the files alone. `waited` is how long this rank has been here. A rank
// that has come and is then silent for longer than the timeout, or that does not come within kStarting more,
// is missing, as is one that died; when every rank of this host lives and the timeout and kMeeting are over,
// the ranks of other hosts are.
std::optional<Absence> find_absence(const RankFolder& folder, std::chrono::nanoseconds timeout,
                                    std::chrono::nanoseconds waited);

// While it lives this rank, on a thread of its own, shows the others that it is here and looks for those that
// are not. Made before MPI_Init, gone after it.
class Meeting {
 public:
  // `missing` is called once, on the thread, and is to end the process: MPI_Init cannot be called back.
  Meeting(RankFolder folder, std::chrono::milliseconds timeout, std::function<void(const Absence&)> missing);
  ~Meeting();
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

 private:
  void run();

  const RankFolder folder_;
  const std::chrono::milliseconds timeout_;
  const std::function<void(const Absence&)> missing_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool met_ = false;
  std::thread thread_;
};

}  // namespace layerpipe::comm::mpi
