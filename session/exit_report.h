// What ended the program: the line that it says and the code that it returns.
#pragma once

#include <exception>
#include <string>

#include "common/errors.h"
#include "runtime/engine.h"

namespace layerpipe::session {

struct Failure {
  common::ExitCode code;
  std::string what;    // one line: line ends in it come from a file or a path
  std::string remedy;  // what to do about it; may be empty; line ends in it are our own
};

// Explains any exception. `doing` says what was being done, for the failures that do not know it themselves:
// "encoding", or nothing.
Failure explain(const std::exception_ptr& failure, const std::string& doing = {});

// The user, or the system, asked to stop by this signal.
Failure interrupted(int signal_number);

// "layerpipe: what", and the remedy below it, on stderr, made visible (common/visible.h).
void print(const Failure& failure);

// What is being done once a listener was told of `progress`.
std::string doing_after(const runtime::Progress& progress);

}  // namespace layerpipe::session
