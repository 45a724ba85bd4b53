// Who hears what a run does, for people: a terminal, a log, a test.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/range.h"
#include "partition/plan.h"
#include "results/document_writing.h"
#include "runtime/device/device.h"
#include "runtime/device/memory.h"
#include "runtime/observe/progress.h"
#include "session/fit_advice.h"
#include "session/job.h"
#include "session/settings.h"

namespace layerpipe::session {

// A run that has been planned, and what the plan was made from.
struct PlannedRun {
  const partition::Plan& plan;
  const PlanInput& input;
  const Job& job;
  const Settings& settings;
  const runtime::DeviceFacts& device;  // of rank 0
};

// Called on rank 0 alone, by the thread that runs the work. What it throws ends the run on all ranks.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // A sentence about what was noticed, without its line break.
  virtual void notice(const std::string& line) = 0;
  // A result that failed while the others go on, and why, without its line break. Not to be kept silent.
  virtual void failed(const std::string& line) = 0;
  // The plan, before any weight is read; also one that does not fit, after which the run ends.
  virtual void planned(const PlannedRun& run) = 0;
  // The work begins. `read_memory` may be called by any thread until the work ends.
  virtual void work_begins(std::function<runtime::MemoryUse()> read_memory) = 0;
  // A window of results begins to go through the phases: those of `results`, counted from 0, of `count` in
  // all.
  virtual void window_begins(const common::Range& results, std::int64_t count) = 0;
  // How far the window is.
  virtual void progress(const runtime::Progress& progress) = 0;
  // How far the writing of the window's results is, all of them together; between two parts of decoding.
  virtual void writing(const results::WritingProgress& progress) = 0;
  // Also when the work ends because something failed. Does not throw.
  virtual void work_ends() noexcept = 0;
};

}  // namespace layerpipe::session
