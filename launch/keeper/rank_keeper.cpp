#include "launch/keeper/rank_keeper.h"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "comm/rank_folder.h"
#include "common/errors.h"
#include "common/host_name.h"
#include "launch/keeper/process.h"
#include "launch/keeper/run_folder.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using common::ExitCode;
using Clock = std::chrono::steady_clock;

// How long a program has to tidy up when the run is ended; mpirun kills this process a little later.
constexpr std::chrono::milliseconds kTidying = 1800ms;
// How long the others may take, beyond the timeout, to notice that this rank is dead.
constexpr std::chrono::seconds kNoticing = 15s;

std::string text_of(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

int number_of(const char* variable, int otherwise) {
  const char* value = std::getenv(variable);
  return value == nullptr ? otherwise : std::atoi(value);
}

int cores_of_this_process() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

class RankKeeper {
 public:
  explicit RankKeeper(const std::vector<std::string>& words);
  int run();

 private:
  void come_here();
  void go_away() noexcept;
  std::map<std::string, std::string> environment_of_the_program() const;
  void take(const signalfd_siginfo& signal);
  void end_the_run();
  int end(const ProcessEnd& end);
  int end_later(int code, std::chrono::seconds time);
  void hold_back(std::chrono::seconds time);
  // The first that is told counts.
  void tell_end(const std::string& how);
  bool is_ended_by_mpirun() const { return ended_by_mpirun_; }
  std::optional<std::chrono::seconds> timeout_of_the_run() const;
  // "rank 1 on host h was killed by signal 9", unless another rank of this host has spoken.
  void say_how(const std::string& how, const std::string& remedy) const;
  void tell(const char* kind, const std::string& text) const;

  const std::vector<std::string> words_;
  const pid_t parent_ = ::getppid();
  SignalQueue signals_{SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
  const int rank_ = number_of("OMPI_COMM_WORLD_RANK", 0);
  const int size_ = number_of("OMPI_COMM_WORLD_SIZE", 1);
  const std::string host_ = common::host_name();
  fs::path run_folder_;     // of the host where the run was started; not there on others
  fs::path rank_folder_;    // empty where there is no place for it
  fs::path shared_memory_;  // empty where Open MPI is to choose
  pid_t child_ = -1;
  bool asked_ = false;  // the program has been asked to stop, as all ranks have
  bool ended_by_mpirun_ = false;
  bool has_told_end_ = false;
  Clock::time_point kill_at_ = Clock::time_point::max();
};

RankKeeper::RankKeeper(const std::vector<std::string>& words) : words_(words) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  run_folder_ = text_of("LAYERPIPE_ENDS");
  if (!run_folder_.empty()) rank_folder_ = rank_folder(run_folder_).value_or(fs::path());
}

void RankKeeper::tell(const char* kind, const std::string& text) const {
  if (!rank_folder_.empty())
    write_at_once(rank_folder_ / (std::string(kind) + "." + std::to_string(rank_)), text);
}

void RankKeeper::tell_end(const std::string& how) {
  if (!has_told_end_) tell("ended", how);
  has_told_end_ = true;
}

void RankKeeper::come_here() {
  tell("here", host_ + '\n' + std::to_string(::getpid()));
  const bool is_chosen = std::getenv("OMPI_MCA_btl_vader_backing_directory") != nullptr ||
                         std::getenv("OMPI_MCA_btl_sm_backing_directory") != nullptr;
  if (run_folder_.empty() || is_chosen) return;
  shared_memory_ = shared_memory_folder(run_folder_);
  std::error_code error;
  fs::create_directories(shared_memory_, error);
  if (error) shared_memory_.clear();
}

void RankKeeper::go_away() noexcept {
  std::error_code error;
  // The last one of this host.
  if (!shared_memory_.empty()) fs::remove(shared_memory_, error);
  if (rank_folder_.empty() || fs::is_directory(run_folder_, error))
    return;  // the run's keeper removes its own
  const std::string mine = std::string(".").append(std::to_string(rank_));
  for (const char* kind : {"here", "alive", "inside", "dead", "timeout", "ended"})
    fs::remove(rank_folder_ / (kind + mine), error);
  for (const fs::directory_entry& entry : fs::directory_iterator(rank_folder_, error)) {
    if (entry.path().filename().string().starts_with("here.")) return;
  }
  fs::remove_all(rank_folder_, error);
  fs::remove_all(shared_memory_, error);
}

std::map<std::string, std::string> RankKeeper::environment_of_the_program() const {
  std::map<std::string, std::string> environment{{"LAYERPIPE_RANKS", rank_folder_},
                                                 {"LAYERPIPE_KEEPER", std::to_string(::getpid())}};
  if (!rank_folder_.empty())
    environment["LAYERPIPE_TIMEOUT_FILE"] = rank_folder_ / ("timeout." + std::to_string(rank_));
  if (!shared_memory_.empty()) {
    for (const char* name : {"OMPI_MCA_btl_vader_backing_directory", "OMPI_MCA_btl_sm_backing_directory"})
      environment[name] = shared_memory_;
  }
  const auto choose = [&](const char* name, const std::string& value) {
    if (std::getenv(name) == nullptr) environment[name] = value;
  };
  // mpirun's is the run's folder.
  if (text_of("TMPDIR") == run_folder_) environment["TMPDIR"] = run_folder_.parent_path();
  // The ranks of a machine share its cores; threads that wait by spinning would take them from one another.
  const int ranks_here = std::max(1, number_of("OMPI_COMM_WORLD_LOCAL_SIZE", 1));
  choose("OMP_NUM_THREADS", std::to_string(std::max(1, cores_of_this_process() / ranks_here)));
  choose("OMP_WAIT_POLICY", "passive");
  // Multicast is for collectives, of which there are none; its buffers would cost memory.
  choose("NCCL_NVLS_ENABLE", "0");
  return environment;
}

std::optional<std::chrono::seconds> RankKeeper::timeout_of_the_run() const {
  std::ifstream file(rank_folder_ / ("timeout." + std::to_string(rank_)));
  long seconds = 0;
  if (!(file >> seconds)) return {};
  return std::chrono::seconds(seconds);
}

void RankKeeper::say_how(const std::string& how, const std::string& remedy) const {
  if (!rank_folder_.empty() && !comm::RankFolder(rank_folder_, rank_, size_).claim_message()) return;
  say("rank " + std::to_string(rank_) + " on host " + host_ + " " + how, remedy);
}

void RankKeeper::end_the_run() {
  if (ended_by_mpirun_) return;
  ended_by_mpirun_ = true;
  tell_end("by mpirun");
  if (child_ <= 0) return;
  ::kill(child_, SIGHUP);
  ::kill(child_, SIGCONT);
  kill_at_ = Clock::now() + kTidying;
}

void RankKeeper::take(const signalfd_siginfo& signal) {
  const int number = static_cast<int>(signal.ssi_signo);
  if (number == SIGCHLD) return;
  const bool is_of_all = number == SIGUSR1 || number == SIGUSR2;
  const auto sender = static_cast<pid_t>(signal.ssi_pid);
  if (!is_of_all && (::getppid() != parent_ || sender == parent_ || sender == 0)) return end_the_run();
  if (child_ <= 0) return;
  if (!is_of_all) {
    // Somebody means this rank.
    ::sigqueue(child_, number == SIGINT ? SIGINT : SIGTERM, {.sival_int = rank_});
  } else if (!asked_) {
    // The run's keeper sends these through mpirun in place of SIGINT and SIGTERM, again and again.
    asked_ = true;
    ::kill(child_, number == SIGUSR1 ? SIGINT : SIGTERM);
  }
}

void RankKeeper::hold_back(std::chrono::seconds time) {
  const auto until = Clock::now() + time;
  while (!is_ended_by_mpirun() && Clock::now() < until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    pollfd ready{.fd = signals_.descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    while (const auto signal = signals_.next()) take(*signal);
  }
}

int RankKeeper::end_later(int code, std::chrono::seconds time) {
  tell_end(std::to_string(code));
  hold_back(time);
  return code;
}

int RankKeeper::end(const ProcessEnd& end) {
  child_ = -1;
  const bool was_asked_to_stop = end.signal == SIGINT || end.signal == SIGTERM || end.signal == SIGHUP;
  if (end.signal == 0) {
    switch (end.code) {
      case static_cast<int>(ExitCode::kDone):
        return end.code;
      case static_cast<int>(ExitCode::kInput):
      case static_cast<int>(ExitCode::kDoesNotFit):
      case static_cast<int>(ExitCode::kOutput):
      case static_cast<int>(ExitCode::kInterrupted):
      case static_cast<int>(ExitCode::kTerminated):
        return end_later(end.code, 1s);
      case static_cast<int>(ExitCode::kPeerFailed):
        return end_later(end.code, 2s);
      case static_cast<int>(ExitCode::kInternal):
        return end_later(end.code, 4s);  // after those that were told of it
      default:
        break;
    }
  } else if (was_asked_to_stop) {
    // Before the program had come so far that it could say so itself.
    if (!asked_ && !is_ended_by_mpirun()) say_how(to_string(end), "Start again when you like.");
    return end_later(static_cast<int>(end.signal == SIGINT ? ExitCode::kInterrupted : ExitCode::kTerminated),
                     1s);
  }
  if (!is_ended_by_mpirun()) {
    tell("dead", to_string(end));
    // It is not the others' to notice when this rank had not come to where it meets them.
    const auto timeout = timeout_of_the_run();
    hold_back(timeout ? *timeout + kNoticing : 1s);
  }
  if (!is_ended_by_mpirun()) {
    say_how(to_string(end),
            "Look for what ended its process (dmesg names those that the kernel ended for want of memory), "
            "then start again.");
  }
  return static_cast<int>(ExitCode::kPeerFailed);
}

int RankKeeper::run() {
  come_here();
  int code = static_cast<int>(ExitCode::kTerminated);
  try {
    if (::getppid() == parent_) {
      child_ =
          start({.words = words_,
                 .environment = environment_of_the_program(),
                 // mpirun signals whole groups; what the program is told is this process's to say.
                 .leads_a_group = true,
                 .signal_at_our_death = SIGHUP,
                 .blocked = {},
                 // Where mpirun is gone, what the program says is lost, and it is to tidy up all the same.
                 .ignored = {SIGPIPE}});
    }
    while (child_ > 0) {
      pollfd ready{.fd = signals_.descriptor(), .events = POLLIN, .revents = 0};
      ::poll(&ready, 1, kill_at_ == Clock::time_point::max() ? -1 : 50);
      while (const auto signal = signals_.next()) take(*signal);
      if (Clock::now() >= kill_at_) ::kill(child_, SIGKILL);
      if (const auto change = look_at_child(child_); change.end) code = end(*change.end);
    }
  } catch (const std::system_error& error) {
    say_how(std::string("cannot start its program: ") + error.what(), "Build layerpipe on that host, too.");
    hold_back(1s);
    code = static_cast<int>(ExitCode::kInput);
  }
  tell_end(std::to_string(code));
  go_away();
  return code;
}

}  // namespace

int keep_rank(const std::vector<std::string>& words) {
  return RankKeeper(words).run();
}

}  // namespace layerpipe::launch
