// The work of `layerpipe decompose` and `layerpipe rerun`, from a job to its results.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "results/document_writing.h"
#include "results/run_record.h"
#include "runtime/engine.h"
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
  // Once it is known that the work fits, before it begins. What it throws ends the run on all ranks.
  virtual void begin(const Machinery& machinery, const Work& work) = 0;
  // Each result as soon as it is decoded; `record` is that of the work, with what was measured. A sink that
  // writes files calls `told` on the way, whenever something has moved (results/document_writing.h): writing
  // may take longer than the other ranks wait for one that stands still, and people want to see it.
  virtual void take(std::size_t index, const results::RunRecord& record, const runtime::Result& result,
                    const std::function<void(const results::WritingProgress&)>& told) = 0;
};

// How a run is told to stop, and to whom it speaks.
struct RunControl {
  const std::atomic<bool>& stop_requested;
  std::string& doing;  // what it is at, for messages about a failure (session/exit_report.h)
  RunObserver& observer;
};

// Makes the results of a job and gives them to `sink`. Runs on every rank of `communicator`; rank 0 reads the
// pictures, says what happens, and writes the trace. Throws the errors of common/errors.h; what the sink was
// given before is its own.
void make_results(const Job& job, const Settings& settings, ResultSink& sink,
                  comm::Communicator& communicator, const RunControl& control);

}  // namespace layerpipe::session
