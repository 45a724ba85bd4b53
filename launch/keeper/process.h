// Processes and signals of Linux, for the keepers of a run. Standard library and POSIX only; for programs
// with one thread.
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/descriptor.h"

namespace layerpipe::launch {

using common::Descriptor;

struct Pipe {
  Descriptor read;
  Descriptor write;
};
// Neither end goes on to a program that is started. Throws std::system_error.
Pipe make_pipe();

// Takes signals one after another, in place of handlers: they stay blocked from here on. Those that this
// process was started to ignore (nohup) stay ignored. Throws std::system_error.
class SignalQueue {
 public:
  explicit SignalQueue(std::initializer_list<int> signals);

  int descriptor() const { return descriptor_.get(); }
  std::optional<signalfd_siginfo> next();

 private:
  Descriptor descriptor_;
};

// How a process ended.
struct ProcessEnd {
  int code = 0;    // its exit code, or 128 + the signal's number
  int signal = 0;  // the signal that ended it; 0 when it ended by itself
};
// "was killed by signal 9" or "ended with code 3".
std::string to_string(const ProcessEnd& end);

// A program to start.
struct Command {
  std::vector<std::string> words;                  // the program, as a shell finds it, and its arguments
  std::map<std::string, std::string> environment;  // added to that of this process
  int stderr_descriptor = 2;
  bool has_stdin = true;
  bool leads_a_group = false;   // of its own: what is sent to ours does not reach it
  int signal_at_our_death = 0;  // what it gets when this process dies; 0: nothing
  std::vector<int> blocked;     // signals that it does not get
  std::vector<int> ignored;
};
// Throws std::system_error when the program cannot be started.
pid_t start(const Command& command);

// What has become of a child since this was asked last. Other children that have ended are dropped.
struct ChildChange {
  std::optional<ProcessEnd> end;
  bool is_stopped = false;
};
ChildChange look_at_child(pid_t child);

// What /proc tells of a process.
class ProcessStatus {
 public:
  // Nothing when there is no such process.
  static std::optional<ProcessStatus> of(pid_t process);

  bool is_running() const { return state_ != 'Z' && state_ != 'X'; }
  bool is_stopped() const { return state_ == 'T'; }
  bool catches(int signal) const { return has(caught_, signal); }
  // Whether the signal was sent and waits, since it is blocked.
  bool holds(int signal) const { return has(pending_, signal); }

 private:
  static bool has(unsigned long long set, int signal) { return (set >> (signal - 1) & 1U) != 0; }

  char state_ = '?';
  unsigned long long caught_ = 0;
  unsigned long long pending_ = 0;
};

// Whether a process runs the same program as this one.
bool is_like_us(pid_t process);

// All other running processes of this machine that were started with this entry ("NAME=value") in their
// environment.
std::vector<pid_t> processes_started_with(const std::string& entry);

// Waits until there are none, and kills what is left after `patience`. Processes that are stopped are woken.
void end_processes_started_with(const std::string& entry, std::chrono::milliseconds patience);

// Writes a file so that it is there at once and whole. False when it cannot.
bool write_at_once(const std::filesystem::path& file, const std::string& text) noexcept;

// To stderr.
void show(const std::string& text);

// "layerpipe: what", and the remedy below it, to stderr in one piece.
void say(const std::string& what, const std::string& remedy);

}  // namespace layerpipe::launch
