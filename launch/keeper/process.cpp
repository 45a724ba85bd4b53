#include "launch/keeper/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

#include "common/visible.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kLook = 20ms;
constexpr std::chrono::milliseconds kKilling = 5s;  // what the kernel may take to end a process

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

sigset_t set_of(const std::vector<int>& signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  return set;
}

ProcessEnd end_of(int status) {
  if (WIFSIGNALED(status)) return {.code = 128 + WTERMSIG(status), .signal = WTERMSIG(status)};
  return {.code = WEXITSTATUS(status), .signal = 0};
}

// What a file below /proc holds; nothing when the process has ended meanwhile, or is another user's.
std::string content_of(const fs::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// In the child, between fork and exec: gives the number of an error to `report`, where there is one.
[[noreturn]] void become(const Command& command, const std::vector<char*>& words, pid_t parent, int report) {
  const auto give_up = [&] {
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(report, &error, sizeof error);
    ::_exit(127);
  };
  if (command.signal_at_our_death != 0) {
    ::prctl(PR_SET_PDEATHSIG, command.signal_at_our_death);
    if (::getppid() != parent) ::_exit(127);
  }
  if (command.leads_a_group) ::setpgid(0, 0);
  if (!command.has_stdin) {
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0) give_up();
  }
  if (command.stderr_descriptor != STDERR_FILENO && ::dup2(command.stderr_descriptor, STDERR_FILENO) < 0)
    give_up();
  std::signal(SIGPIPE, SIG_DFL);  // which keepers ignore
  for (const int signal : command.ignored) std::signal(signal, SIG_IGN);
  for (const auto& [name, value] : command.environment) ::setenv(name.c_str(), value.c_str(), 1);
  const sigset_t blocked = set_of(command.blocked);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
  ::execvp(words.front(), words.data());
  give_up();
  ::_exit(127);
}

}  // namespace

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

SignalQueue::SignalQueue(std::initializer_list<int> signals) {
  std::vector<int> wanted;
  for (const int signal : signals) {
    if (signal == SIGCHLD)
      ::signal(SIGCHLD, SIG_DFL);  // whoever is started with it ignored would wait for ever
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) wanted.push_back(signal);
  }
  const sigset_t set = set_of(wanted);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) fail("sigprocmask");
  descriptor_ = Descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (descriptor_.get() < 0) fail("signalfd");
}

std::optional<signalfd_siginfo> SignalQueue::next() {
  signalfd_siginfo info{};
  if (::read(descriptor_.get(), &info, sizeof info) != sizeof info) return {};
  return info;
}

std::string to_string(const ProcessEnd& end) {
  if (end.signal != 0) return "was killed by signal " + std::to_string(end.signal);
  return "ended with code " + std::to_string(end.code);
}

pid_t start(const Command& command) {
  std::vector<std::string> texts = command.words;
  std::vector<char*> words;
  words.reserve(texts.size() + 1);
  for (std::string& text : texts) words.push_back(text.data());
  words.push_back(nullptr);
  Pipe report = make_pipe();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) fail("fork");
  if (child == 0) become(command, words, parent, report.write.get());
  report.write.reset();
  int error = 0;
  ssize_t got = 0;
  while ((got = ::read(report.read.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (got != static_cast<ssize_t>(sizeof error)) return child;
  ::waitpid(child, nullptr, 0);
  throw std::system_error(error, std::generic_category(), command.words.front());
}

ChildChange look_at_child(pid_t child) {
  ChildChange change;
  while (true) {
    int status = 0;
    const pid_t got = ::waitpid(-1, &status, WNOHANG | WUNTRACED);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return change;
    if (got != child) continue;
    change.is_stopped = WIFSTOPPED(status);
    if (!change.is_stopped) change.end = end_of(status);
  }
}

std::optional<ProcessStatus> ProcessStatus::of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  if (!file) return {};
  ProcessStatus status;
  std::string name;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    words >> name;
    if (name == "State:") words >> status.state_;
    if (name == "ShdPnd:") words >> std::hex >> status.pending_;
    if (name == "SigCgt:") words >> std::hex >> status.caught_;
  }
  return status;
}

bool is_like_us(pid_t process) {
  std::error_code error;
  const fs::path theirs = fs::read_symlink("/proc/" + std::to_string(process) + "/exe", error);
  return !error && theirs == fs::read_symlink("/proc/self/exe", error);
}

std::vector<pid_t> processes_started_with(const std::string& entry) {
  std::vector<pid_t> found;
  const std::string end(1, '\0');
  const std::string wanted = end + entry + end;
  std::error_code error;
  for (const fs::directory_entry& folder : fs::directory_iterator("/proc", error)) {
    const std::string name = folder.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto process = static_cast<pid_t>(std::stol(name));
    if (process == ::getpid()) continue;
    if ((end + content_of(folder.path() / "environ") + end).find(wanted) == std::string::npos) continue;
    if (const auto status = ProcessStatus::of(process); status && status->is_running())
      found.push_back(process);
  }
  return found;
}

void end_processes_started_with(const std::string& entry, std::chrono::milliseconds patience) {
  const auto kill_from = std::chrono::steady_clock::now() + patience;
  while (true) {
    const std::vector<pid_t> left = processes_started_with(entry);
    const auto now = std::chrono::steady_clock::now();
    if (left.empty() || now > kill_from + kKilling) return;
    for (const pid_t process : left) {
      ::kill(process, SIGCONT);
      if (now >= kill_from) ::kill(process, SIGKILL);
    }
    std::this_thread::sleep_for(kLook);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {  // those that were handed to this process
    }
  }
}

bool write_at_once(const fs::path& file, const std::string& text) noexcept {
  try {
    const fs::path beside = file.parent_path() / std::string(".").append(file.filename().string());
    std::ofstream stream(beside, std::ios::trunc);
    stream << text << '\n';
    stream.close();
    if (!stream) return false;
    fs::rename(beside, file);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void show(const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data() + at, text.size() - at);
    if (written < 0 && errno != EINTR) return;
    if (written > 0) at += static_cast<std::size_t>(written);
  }
}

void say(const std::string& what, const std::string& remedy) {
  std::string text = "layerpipe: " + common::visible(what) + '\n';
  if (!remedy.empty()) text += "  " + common::visible(remedy) + '\n';
  show(text);
}

}  // namespace layerpipe::launch
