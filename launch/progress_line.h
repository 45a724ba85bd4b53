// What a person watches while layerpipe works: phase, step, seconds per step, time left.
#pragma once

#include <chrono>
#include <string>

#include "runtime/engine.h"

namespace layerpipe::launch {

enum class ProgressStyle {
  kLive,   // one line that is written over, for a terminal
  kLines,  // a line now and then, for a log
  kQuiet,
};

// Live when stderr is a terminal, lines otherwise.
ProgressStyle progress_style_for_stderr();

// The line itself: "denoise  7/50  0.42 s a step, 18 s left". `elapsed` counts from the phase's first unit of
// work.
std::string progress_text(const runtime::Progress& progress, std::chrono::duration<double> elapsed);

// Writes to stderr. Called by one thread.
class ProgressLine {
 public:
  explicit ProgressLine(ProgressStyle style) : style_(style) {}
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const runtime::Progress& progress);

 private:
  using Clock = std::chrono::steady_clock;
  ProgressStyle style_;
  Clock::time_point phase_start_{};
  Clock::time_point last_shown_{};
  bool line_is_open_ = false;
};

}  // namespace layerpipe::launch
