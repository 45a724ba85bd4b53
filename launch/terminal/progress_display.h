// What a person watches while layerpipe works.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "launch/terminal/progress_state.h"
#include "results/document_writing.h"

namespace layerpipe::launch {

enum class ProgressStyle {
  kLive,   // a block that is drawn over, for a terminal
  kLines,  // dated lines now and then, for a log
  kQuiet,
};

// Live when stderr is a terminal, lines otherwise.
ProgressStyle progress_style_for_stderr();

// Writes to stderr. show() is called by one thread; in style kLive a thread of the object's own draws the
// block again twice a second, so that a long step does not look like a hang.
class ProgressDisplay {
 public:
  // `read_memory` is called by either thread, one at a time. A live block says so when `stop_requested`,
  // which has to outlive the object, is set.
  ProgressDisplay(ProgressStyle style, std::function<runtime::MemoryUse()> read_memory,
                  const std::atomic<bool>& stop_requested);
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  // What is shown next concerns these of `count` results, counted from 0.
  void begin_window(const common::Range& results, std::int64_t count);
  void show(const runtime::Progress& progress);
  void show(const results::WritingProgress& progress);

 private:
  using Clock = std::chrono::steady_clock;
  struct Step {
    PhaseState::Status status;
    partition::Network network;
    std::int64_t done;
    std::int64_t total;
  };
  void show(PhaseState& phase, const Step& step);
  bool update(PhaseState& phase, const Step& step);
  void count_seconds();
  void read_memory();
  void draw_block();
  void write_line();
  void redraw_until_the_end();

  ProgressStyle style_;
  Charset charset_;
  std::function<runtime::MemoryUse()> read_memory_;
  const std::atomic<bool>& stop_requested_;

  std::mutex mutex_;  // guards all below
  std::condition_variable ends_;
  bool ending_ = false;
  ProgressState state_;
  PhaseState* phase_ = nullptr;  // of state_, the one at work; null before the first one
  Clock::time_point first_window_start_{};
  Clock::time_point counted_until_{};
  Clock::time_point last_drawn_ = Clock::now();
  int drawn_lines_ = 0;
  std::thread redrawing_;
};

}  // namespace layerpipe::launch
