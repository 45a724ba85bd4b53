// Makes results from jobs: the work of `layerpipe decompose` and `layerpipe rerun`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "common/range.h"
#include "partition/plan.h"
#include "results/document_writing.h"
#include "results/run_record.h"
#include "runtime/engine.h"
#include "runtime/observe/trace.h"
#include "session/failed_requests.h"
#include "session/inputs.h"
#include "session/job.h"
#include "session/rank_setup.h"
#include "session/run_observer.h"
#include "session/settings.h"

namespace layerpipe::session {

// What becomes of results. Called on rank 0 alone, by the thread that runs the work.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  // Once it is known that the work fits, before it begins. What it throws ends the run on all ranks. A sink
  // calls `moved`, here and later, while it is at something that takes longer than the others wait.
  virtual void begin(const Machinery& machinery, const Work& work, const std::function<void()>& moved) = 0;
  // Each result as soon as it is decoded; `record` is that of the work, with what was measured. A sink that
  // writes files calls `told` on the way, whenever something has moved (results/document_writing.h): writing
  // may take longer than the other ranks wait for one that stands still, and people want to see it.
  virtual void take(std::size_t index, const results::RunRecord& record, const runtime::Result& result,
                    const std::function<void(const results::WritingProgress&)>& told) = 0;
  // When the work is done, also where results failed.
  virtual void finish() {}
};

// How a session is told to stop, and to whom it speaks.
struct RunControl {
  const std::atomic<bool>& stop_requested;
  std::string& doing;  // what it is at, for messages about a failure (session/exit_report.h)
  RunObserver& observer;
};

// A model that stays on the devices from job to job, together with the sessions of the other ranks: it is
// opened, loaded and planned for what is free once; its stages are connected once.
class Session {
 public:
  // Chooses this rank's device and opens the model, without reading a weight. What the arguments refer to
  // outlives the session; a communicator serves one session at a time. Called by all ranks. Throws
  // AgreedError, and on a rank alone InputError.
  Session(Settings settings, comm::Communicator& communicator, const RunControl& control);

  // Makes the results of a job, which is the same on all ranks, and gives them to `sink`; rank 0 reads the
  // pictures, says what happens, and writes the trace, which covers all jobs up to this one. Can be called
  // any number of times, also after a job that could not be made: AgreedError, and on a rank alone InputError
  // and DoesNotFitError. Behind the other errors of common/errors.h the ranks have nothing to do but to end.
  // What the sink was given before is its own.
  void make(const Job& job, ResultSink& sink);

  const Machinery& machinery() const noexcept { return machinery_; }

 private:
  struct Planning;
  class Totals;
  void check(const Job& job) const;
  Planning plan(const Job& job, const Work& work);
  void run_windows(const Planning& planning, Inputs& inputs, ResultSink& sink, FailedRequests& failed);
  void run_window(const common::Range& results, std::span<const runtime::Request> requests,
                  const partition::Plan& plan, const Work& work, ResultSink& sink, FailedRequests& failed,
                  Totals& totals);
  void write_trace(const partition::Plan& plan) const;
  bool is_first() const { return communicator_.rank() == 0; }

  Settings settings_;
  comm::Communicator& communicator_;
  RunControl control_;
  Machinery machinery_;
  std::string run_id_;                                         // RunRecord::run_id
  std::optional<partition::Plan> present_;                     // what the engine holds
  std::optional<std::vector<partition::DeviceInfo>> devices_;  // as they were before anything was loaded
  std::int64_t results_before_ = 0;                            // of the jobs before
  runtime::Trace trace_;                                       // of this rank, where one is asked for
};

}  // namespace layerpipe::session
