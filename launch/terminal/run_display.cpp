#include "launch/terminal/run_display.h"

#include <utility>

#include "launch/terminal/plan_report.h"
#include "launch/terminal/terminal.h"
#include "session/dtype.h"

namespace layerpipe::launch {

void RunDisplay::notice(const std::string& line) {
  if (loudness_ == Loudness::kUsual) say(line);
}

void RunDisplay::failed(const std::string& line) {
  say(line);
}

void RunDisplay::planned(const session::PlannedRun& run) {
  if (loudness_ == Loudness::kQuiet) return;
  say_lines(plan_table(
      run.plan,
      {.model = run.settings.model.string(),
       .work = work_text({.layers = run.job.layers,
                          .resolution = run.job.resolution,
                          .branches = run.input.work.branches,
                          .pictures = run.input.work.requests,
                          .dtype = session::word_of(run.input.workload.dtype, run.input.workload.linears)}),
       .pictures = run.input.work.requests,
       .notes = device_notes(run.input.devices, run.device.device)}));
}

void RunDisplay::work_begins(std::function<runtime::MemoryUse()> read_memory) {
  if (loudness_ == Loudness::kQuiet) return;
  display_ =
      std::make_unique<ProgressDisplay>(progress_style_for_stderr(), std::move(read_memory), stop_requested_);
}

void RunDisplay::window_begins(const common::Range& results, std::int64_t count) {
  if (display_) display_->begin_window(results, count);
}

void RunDisplay::progress(const runtime::Progress& progress) {
  if (display_) display_->show(progress);
}

void RunDisplay::writing(const results::WritingProgress& progress) {
  if (display_) display_->show(progress);
}

void RunDisplay::work_ends() noexcept {
  display_.reset();
}

}  // namespace layerpipe::launch
