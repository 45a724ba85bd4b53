// The errors that layerpipe throws. Every folder uses this family and nothing else; launch/ turns one into a
// line on stderr and an exit code. Standard library only.
#pragma once

#include <stdexcept>
#include <string>

namespace layerpipe::common {

// Exit codes of the program: a contract with the scripts that call it.
enum class ExitCode : int {
  kDone = 0,
  kInput = 2,          // wrong usage, configuration or input
  kDoesNotFit = 3,     // not enough device memory, found while planning or while running
  kPeerFailed = 4,     // a rank, or the connection to it, failed
  kInternal = 5,       // a mistake of ours
  kOutput = 6,         // results could not be written
  kInterrupted = 130,  // by SIGINT
  kTerminated = 143,   // by SIGTERM
};

// Base of the family. `what()` says what happened and names the file, tensor or option; `remedy()` says what
// to do about it and may be empty when there is nothing useful to say.
class Error : public std::runtime_error {
 public:
  Error(const std::string& what_happened, std::string remedy)
      : std::runtime_error(what_happened), remedy_(std::move(remedy)) {}
  const std::string& remedy() const noexcept { return remedy_; }
  virtual ExitCode exit_code() const noexcept = 0;

 private:
  std::string remedy_;
};

// The user's command line, files or configuration cannot be used as they are.
class InputError : public Error {
 public:
  explicit InputError(const std::string& what_happened, std::string remedy = {})
      : Error(what_happened, std::move(remedy)) {}
  ExitCode exit_code() const noexcept override { return ExitCode::kInput; }
};

// A device has not enough memory for the work.
class DoesNotFitError : public Error {
 public:
  explicit DoesNotFitError(const std::string& what_happened, std::string remedy = {})
      : Error(what_happened, std::move(remedy)) {}
  ExitCode exit_code() const noexcept override { return ExitCode::kDoesNotFit; }
};

// A rank vanished, stood still, or said that it failed; or what it sent cannot be used.
class PeerFailedError : public Error {
 public:
  explicit PeerFailedError(const std::string& what_happened, std::string remedy = {})
      : Error(what_happened, std::move(remedy)) {}
  ExitCode exit_code() const noexcept override { return ExitCode::kPeerFailed; }
};

// What ranks agreed on as the reason to stop: every rank throws the same, and rank 0 says it.
class AgreedError : public Error {
 public:
  AgreedError(const std::string& what_happened, std::string remedy, ExitCode code)
      : Error(what_happened, std::move(remedy)), code_(code) {}
  ExitCode exit_code() const noexcept override { return code_; }

 private:
  ExitCode code_;
};

// A result could not be written.
class OutputError : public Error {
 public:
  explicit OutputError(const std::string& what_happened, std::string remedy = {})
      : Error(what_happened, std::move(remedy)) {}
  ExitCode exit_code() const noexcept override { return ExitCode::kOutput; }
};

// The user, or the system, asked the program to stop.
class InterruptedError : public Error {
 public:
  InterruptedError() : Error("interrupted", {}) {}
  ExitCode exit_code() const noexcept override { return ExitCode::kInterrupted; }
};

// A broken promise inside the program.
class InternalError : public Error {
 public:
  explicit InternalError(const std::string& what_happened)
      : Error(what_happened, "This is a mistake in layerpipe; please report it with the command line.") {}
  ExitCode exit_code() const noexcept override { return ExitCode::kInternal; }
};

// Throws InternalError with `message` unless `condition` holds.
inline void ensure(bool condition, const char* message) {
  if (!condition) throw InternalError(message);
}

// "No such file or directory (errno 2)", for the value of errno that a system call left.
std::string system_error_text(int error_number);

}  // namespace layerpipe::common
