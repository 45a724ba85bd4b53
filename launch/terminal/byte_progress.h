// How far a file is that takes minutes to write.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "launch/terminal/progress_display.h"

namespace layerpipe::launch {

// "quantize: 12.50 GiB of 37.26 GiB, 1 min 03 s left"; the time is that of a writer as fast as until now.
std::string byte_progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                               double seconds);

// Writes to stderr: in style kLive a line that is drawn over, in style kLines one now and then. Work that is
// done within the first interval says nothing.
class ByteProgress {
 public:
  // `what` names the work.
  ByteProgress(ProgressStyle style, std::string what);
  ByteProgress(const ByteProgress&) = delete;
  ByteProgress& operator=(const ByteProgress&) = delete;
  // Leaves the cursor at the beginning of an empty line.
  ~ByteProgress();

  void show(std::uint64_t done, std::uint64_t total);

 private:
  using Clock = std::chrono::steady_clock;

  ProgressStyle style_;
  std::string what_;
  Clock::time_point began_ = Clock::now();
  Clock::time_point last_shown_ = began_;
  bool is_drawn_ = false;
};

}  // namespace layerpipe::launch
