// Files that are written side by side, while one thread tells how far they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "media/encoding.h"

namespace layerpipe::results {

// In units of about the same work: a picture that is read for one of the files, and written to it.
struct WritingProgress {
  std::int64_t done = 0;
  std::int64_t total = 0;
};

// What writing may take.
struct WritingLimits {
  int threads = 1;          // at work at a time, and in each picture that is encoded
  std::uint64_t bytes = 0;  // of memory for tasks that run beside others; one alone runs whatever it takes
};

class WritingTasks;

// What a task has for telling how far it is. Any of its threads may call.
class WritingSteps {
 public:
  WritingSteps(WritingTasks& tasks, std::size_t task) : tasks_(tasks), task_(task) {}

  // The next unit begins, and with it the one before has ended. Throws when the writing is to end.
  void begin_unit() const;
  // Something has moved within a unit. Throws when the writing is to end.
  void moved() const;
  // How pictures are to be encoded.
  media::EncodingWork encoding() const;

 private:
  WritingTasks& tasks_;
  std::size_t task_;
};

// A file, or several of one kind.
struct WritingTask {
  std::int64_t units = 1;             // how often it calls begin_unit()
  std::uint64_t bytes = 0;            // of memory that it takes at most
  std::optional<std::size_t> behind;  // the task that must have ended before
  std::function<void(const WritingSteps&)> run;
};

// Runs all tasks, each on one thread of its own, as many at a time as the limits allow, the first ones first.
// `told` is called by the calling thread alone: at the beginning, at most ten times a second while something
// moves, so that whoever waits for this thread learns that it lives, and at the end. Nothing is told while
// nothing moves.
//
// Throws, when all tasks have ended: what `told` threw; else what the first of the tasks threw that failed.
// Tasks that are at work then are ended at their next step, and those behind them are not begun.
void run_writing_tasks(const std::vector<WritingTask>& tasks, const WritingLimits& limits,
                       const std::function<void(const WritingProgress&)>& told);

}  // namespace layerpipe::results
