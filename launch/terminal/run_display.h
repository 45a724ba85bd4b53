// What a run says on stderr: remarks, the plan's table, progress.
#pragma once

#include <atomic>
#include <memory>

#include "launch/terminal/progress_display.h"
#include "session/run_observer.h"

namespace layerpipe::launch {

enum class Loudness { kUsual, kQuiet };

class RunDisplay : public session::RunObserver {
 public:
  // A live display says so when `stop_requested`, which has to outlive the object, is set.
  RunDisplay(Loudness loudness, const std::atomic<bool>& stop_requested)
      : loudness_(loudness), stop_requested_(stop_requested) {}

  void notice(const std::string& line) override;
  void failed(const std::string& line) override;
  void planned(const session::PlannedRun& run) override;
  void work_begins(std::function<runtime::MemoryUse()> read_memory) override;
  void window_begins(const common::Range& results, std::int64_t count) override;
  void progress(const runtime::Progress& progress) override;
  void writing(const results::WritingProgress& progress) override;
  void work_ends() noexcept override;

 private:
  Loudness loudness_;
  const std::atomic<bool>& stop_requested_;
  std::unique_ptr<ProgressDisplay> display_;  // while the work lasts
};

}  // namespace layerpipe::launch
