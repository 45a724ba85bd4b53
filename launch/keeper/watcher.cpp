#include "launch/keeper/watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <optional>
#include <system_error>

#include "common/errors.h"
#include "common/host_name.h"
#include "common/texts.h"
#include "launch/keeper/mpirun_output.h"
#include "launch/keeper/process.h"
#include "launch/keeper/run_folder.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using common::ExitCode;
using Clock = std::chrono::steady_clock;

constexpr int kDone = static_cast<int>(ExitCode::kDone);
constexpr int kPeerFailed = static_cast<int>(ExitCode::kPeerFailed);
constexpr int kInterrupted = static_cast<int>(ExitCode::kInterrupted);
constexpr int kTerminated = static_cast<int>(ExitCode::kTerminated);

constexpr std::chrono::milliseconds kTick = 100ms;
// How often ranks are asked to stop: mpirun drops a signal that comes before they have started.
constexpr std::chrono::milliseconds kAsking = 250ms;
// How long ranks may take to end by themselves, once they were asked, beyond the run's timeout.
constexpr std::chrono::seconds kStopping = 15s;
constexpr std::chrono::seconds kUnknownTimeout = 20s;
// How often stopped processes are woken.
constexpr std::chrono::seconds kWaking = 5s;
// From the first rank of this host on that ended with an error: when mpirun is killed. It waits for the ranks
// of a host that is lost, for a quarter of an hour.
constexpr std::chrono::seconds kLosing = 10s;
// How long mpirun may take to end all ranks, and what is left of the run to end after mpirun.
constexpr std::chrono::seconds kEnding = 5s;
constexpr std::chrono::seconds kLeaving = 4s;

bool is_code_of_ours(int code) {
  constexpr std::array kCodes{kDone,
                              static_cast<int>(ExitCode::kInput),
                              static_cast<int>(ExitCode::kDoesNotFit),
                              kPeerFailed,
                              static_cast<int>(ExitCode::kInternal),
                              static_cast<int>(ExitCode::kOutput),
                              kInterrupted,
                              kTerminated};
  return std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

// How the ranks of this host ended, as their keepers tell.
struct LocalRanks {
  struct Rank {
    std::string host;
    pid_t keeper = -1;
    std::optional<std::string> end;  // a code, or "by mpirun"
    fs::file_time_type ended;
  };
  std::map<int, Rank> ranks;
  std::optional<std::chrono::seconds> timeout;

  static LocalRanks in(const fs::path& folder);
  // The first code that is not 0.
  std::optional<int> first_error() const;
  // What mpirun waits for, as far as is known here.
  std::string missing() const;
  bool has_end() const {
    return std::any_of(ranks.begin(), ranks.end(),
                       [](const auto& rank) { return rank.second.end.has_value(); });
  }
};

LocalRanks LocalRanks::in(const fs::path& folder) {
  LocalRanks found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string kind = entry.path().stem();
    const std::string number = entry.path().extension();
    if (number.size() < 2 || number.find_first_not_of("0123456789", 1) != std::string::npos) continue;
    const int rank = std::stoi(number.substr(1));
    std::ifstream file(entry.path());
    if (kind == "here") {
      std::getline(file, found.ranks[rank].host);
      file >> found.ranks[rank].keeper;
    } else if (kind == "ended") {
      std::getline(file, found.ranks[rank].end.emplace());
      found.ranks[rank].ended = fs::last_write_time(entry.path(), error);
    } else if (kind == "timeout") {
      long seconds = 0;
      if (file >> seconds) found.timeout = std::chrono::seconds(seconds);
    }
  }
  return found;
}

std::optional<int> LocalRanks::first_error() const {
  std::optional<int> code;
  auto first = fs::file_time_type::max();
  for (const auto& [number, rank] : ranks) {
    if (!rank.end || rank.end->find_first_not_of("0123456789") != std::string::npos) continue;
    if (*rank.end == "0" || rank.ended >= first) continue;
    first = rank.ended;
    code = std::stoi(*rank.end);
  }
  return code;
}

std::string LocalRanks::missing() const {
  std::vector<std::string> at_work;
  for (const auto& [number, rank] : ranks) {
    if (!rank.end) at_work.push_back("rank " + std::to_string(number) + " on host " + rank.host);
  }
  if (at_work.empty())
    return "no rank of this host is left, so another host does not answer, or mpirun itself hangs";
  return common::listed(at_work, "and") + (at_work.size() == 1 ? " has" : " have") + " not ended";
}

class Watcher {
 public:
  Watcher(const std::vector<std::string>& command, fs::path run_folder, int front)
      : command_(command), run_folder_(std::move(run_folder)), front_(front) {}

  int run();

 private:
  void start_mpirun();
  void turn();
  void take_signals();
  void ask(int code);
  void look_at_the_front();
  void look_at_mpirun();
  void ask_again();
  void end_at_once();
  void mind_deadlines();
  void wake_the_stopped() const;
  void relay(bool is_last);
  void clean_up();
  int conclude();
  int say_once(const std::string& what, const std::string& remedy, int code);
  std::optional<std::string> lost_keeper() const;

  const std::vector<std::string> command_;
  const fs::path run_folder_;
  int front_;
  SignalQueue signals_{SIGINT, SIGTERM, SIGHUP, SIGCHLD};
  MpirunOutput output_;
  Descriptor stderr_of_mpirun_;
  pid_t mpirun_ = -1;
  std::optional<ProcessEnd> end_;  // of mpirun

  int asked_ = kDone;         // the exit code that a signal asked for
  bool had_message_ = false;  // when it did
  bool front_died_ = false;
  bool killed_mpirun_ = false;
  std::optional<Clock::time_point> asked_at_;
  std::optional<Clock::time_point> ended_at_once_at_;
  std::optional<Clock::time_point> first_end_at_;
  std::optional<Clock::time_point> first_error_at_;
  Clock::time_point ask_again_at_;
  Clock::time_point wake_at_ = Clock::now() + kWaking;
  LocalRanks ranks_;
};

void Watcher::start_mpirun() {
  Pipe pipe = make_pipe();
  stderr_of_mpirun_ = std::move(pipe.read);
  ::fcntl(stderr_of_mpirun_.get(), F_SETFL, O_NONBLOCK);
  mpirun_ = start({.words = command_,
                   .environment = {{"LAYERPIPE_ENDS", run_folder_},
                                   // Its files go to the run's folder, so that nothing is left of it.
                                   {"TMPDIR", run_folder_}},
                   .stderr_descriptor = pipe.write.get(),
                   .has_stdin = false,
                   .signal_at_our_death = SIGHUP,
                   .blocked = {SIGINT, SIGTERM},
                   .ignored = {}});
}

// The first signal counts; the second one is impatience.
void Watcher::ask(int code) {
  if (asked_ != kDone) return end_at_once();
  asked_ = code;
  asked_at_ = Clock::now();
  ask_again_at_ = *asked_at_;
  had_message_ = output_.has_message();
}

void Watcher::take_signals() {
  while (const auto signal = signals_.next()) {
    const auto number = static_cast<int>(signal->ssi_signo);
    if (number != SIGCHLD) ask(number == SIGINT ? kInterrupted : kTerminated);
  }
}

void Watcher::look_at_the_front() {
  if (front_died_) return;
  pollfd end{.fd = front_, .events = 0, .revents = 0};
  if (::poll(&end, 1, 0) <= 0) return;
  front_died_ = true;
  end_at_once();  // without asking the ranks, which would say that they were
}

void Watcher::look_at_mpirun() {
  const ChildChange change = look_at_child(mpirun_);
  if (change.end) end_ = change.end;
  if (end_) return;
  const auto status = ProcessStatus::of(mpirun_);
  if (!status || asked_ != kDone) return;
  if (status->holds(SIGINT)) return ask(kInterrupted);
  if (status->holds(SIGTERM)) ask(kTerminated);
}

void Watcher::ask_again() {
  if (asked_ == kDone || Clock::now() < ask_again_at_) return;
  ask_again_at_ = Clock::now() + kAsking;
  const int signal = asked_ == kInterrupted ? SIGUSR1 : SIGUSR2;
  const auto status = ProcessStatus::of(mpirun_);
  // Before it takes them they would end it, and leave what it has begun.
  if (status && status->catches(signal)) ::kill(mpirun_, signal);
  if (status && status->is_stopped()) ::kill(mpirun_, SIGCONT);
}

void Watcher::end_at_once() {
  if (ended_at_once_at_) return;
  ended_at_once_at_ = Clock::now();
  ::kill(mpirun_, SIGHUP);
  ::kill(mpirun_, SIGCONT);
}

// A rank whose program is stopped is for the others to miss and to name, until they have ended. To stop
// mpirun or a keeper helps nobody: the ranks would work on, and never be seen to end.
void Watcher::wake_the_stopped() const {
  for (const pid_t process : processes_started_with(mark_of(run_folder_))) {
    const auto status = ProcessStatus::of(process);
    if (!status || !status->is_stopped()) continue;
    if (first_end_at_ || process == mpirun_ || is_like_us(process)) ::kill(process, SIGCONT);
  }
}

void Watcher::mind_deadlines() {
  ranks_ = LocalRanks::in(run_folder_ / "ranks");
  const auto now = Clock::now();
  if (!first_end_at_ && ranks_.has_end()) {
    first_end_at_ = now;
    wake_at_ = now + kWaking;
  }
  if (now >= wake_at_) {
    wake_at_ = now + kWaking;
    wake_the_stopped();
  }
  if (!first_error_at_ && ranks_.first_error()) first_error_at_ = now;
  if (first_error_at_ && now > *first_error_at_ + kLosing && !killed_mpirun_) {
    killed_mpirun_ = true;
    show("==> mpirun does not end after a rank has failed, so it is killed: " + ranks_.missing() + '\n');
    ::kill(mpirun_, SIGKILL);
  }
  if (asked_at_ && now > *asked_at_ + ranks_.timeout.value_or(kUnknownTimeout) + kStopping) end_at_once();
  if (ended_at_once_at_ && now > *ended_at_once_at_ + kEnding) ::kill(mpirun_, SIGKILL);
}

void Watcher::relay(bool is_last) {
  std::array<char, 65536> bytes{};
  bool has_read = false;
  while (true) {
    const ssize_t count = ::read(stderr_of_mpirun_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    has_read = true;
    show(output_.take({bytes.data(), static_cast<std::size_t>(count)}));
  }
  if (!has_read || is_last) show(output_.flush());
}

void Watcher::turn() {
  pollfd ready[] = {{.fd = signals_.descriptor(), .events = POLLIN, .revents = 0},
                    {.fd = stderr_of_mpirun_.get(), .events = POLLIN, .revents = 0},
                    {.fd = front_died_ ? -1 : front_, .events = 0, .revents = 0}};
  ::poll(ready, std::size(ready), static_cast<int>(kTick.count()));
  take_signals();
  look_at_the_front();
  relay(false);
  look_at_mpirun();
}

int Watcher::run() {
  // Ranks whose mpirun has died come here, so that none is left that nobody waits for.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  start_mpirun();
  auto tick_at = Clock::now();
  while (!end_) {
    turn();
    if (end_ || Clock::now() < tick_at) continue;
    tick_at = Clock::now() + kTick;
    ask_again();
    mind_deadlines();
  }
  clean_up();
  return conclude();
}

void Watcher::clean_up() {
  ranks_ = LocalRanks::in(run_folder_ / "ranks");
  // A keeper that mpirun killed before it could say so is none that died first.
  end_processes_started_with(mark_of(run_folder_), kLeaving);
  relay(true);
  std::error_code error;
  fs::remove_all(run_folder_, error);
  const fs::path shared = shared_memory_folder(run_folder_);
  if (!shared.empty()) fs::remove_all(shared, error);
}

// "the keeper of rank 1 on host h was killed", if one has vanished without a word.
std::optional<std::string> Watcher::lost_keeper() const {
  for (const auto& [number, rank] : ranks_.ranks) {
    const bool is_here =
        rank.host == common::host_name();  // the folder may be on a file system of several hosts
    if (is_here && !rank.end && rank.keeper > 0 && !ProcessStatus::of(rank.keeper))
      return "the keeper of rank " + std::to_string(number) + " on host " + rank.host + " was killed";
  }
  return {};
}

int Watcher::say_once(const std::string& what, const std::string& remedy, int code) {
  if (!output_.has_message()) say(what, remedy);
  return code;
}

int Watcher::conclude() {
  if (front_died_)
    return say_once("launch/run.sh was killed, so the run was ended", "Start again when you like.",
                    kTerminated);
  const int code = end_->code;
  if (asked_ != kDone && (end_->signal != 0 || !is_code_of_ours(code) || code == kInterrupted ||
                          code == kTerminated || (code == kPeerFailed && !had_message_)))
    return say_once(asked_ == kInterrupted ? "interrupted" : "terminated", {}, asked_);
  if (end_->signal == 0 && is_code_of_ours(code)) return code;
  const int error = ranks_.first_error().value_or(kPeerFailed);
  if (killed_mpirun_) return error;
  // Open MPI 5 may fall over a rank that has died, and a rank has said why.
  if (ranks_.first_error() && output_.has_message()) return error;
  if (end_->signal != 0) {
    return say_once("mpirun " + to_string(*end_),
                    "Look for what ended its process (dmesg names those that the kernel ended for want of "
                    "memory), then start again.",
                    kPeerFailed);
  }
  if (const auto lost = lost_keeper())
    return say_once(*lost, "Look for what ended its process, then start again.", kPeerFailed);
  if (ranks_.first_error()) return error;
  show(output_.held_back());
  return say_once("mpirun ended with code " + std::to_string(code),
                  "It has said above why, if it has; start again when that is mended.", kPeerFailed);
}

}  // namespace

std::string mark_of(const fs::path& run_folder) {
  return "LAYERPIPE_ENDS=" + run_folder.string();
}

int watch(const std::vector<std::string>& mpirun, const fs::path& run_folder, int front) {
  return Watcher(mpirun, run_folder, front).run();
}

}  // namespace layerpipe::launch
