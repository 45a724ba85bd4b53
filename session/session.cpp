#include "session/session.h"

#include <c10/util/ScopeExit.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "comm/run_collectively.h"
#include "common/clock.h"
#include "common/errors.h"
#include "results/trace_file.h"
#include "runtime/device/memory.h"
#include "runtime/observe/trace.h"
#include "runtime/plan/plan_json.h"
#include "runtime/plan/run_plan.h"
#include "runtime/plan/windows.h"
#include "session/dtype.h"
#include "session/exit_report.h"
#include "session/failed_requests.h"
#include "session/fit_advice.h"
#include "session/ranks.h"
#include "session/recording.h"

namespace layerpipe::session {
namespace {

// Made on rank 0 alone: nanoseconds since 1970, so that two runs hardly ever have the same.
std::string make_run_id() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// A plan, the same on every rank, and what it was made from.
struct Planning {
  PlanInput input;
  partition::Plan plan;
};

// `tell` is called with a plan that does not fit, before what is thrown then.
Planning make_plan(const Settings& settings, comm::Communicator& communicator, const Machinery& machinery,
                   const Work& work, const std::function<void(const Planning&)>& tell) {
  const runtime::ModelFolder& model = machinery.engine->model();
  runtime::CostWorkload workload =
      runtime::cost_workload_of(work.requests, model, machinery.device, machinery.dtype, communicator);
  workload.over_nccl = machinery.channel == comm::ChannelKind::kNccl;
  Planning planning{
      .input = {.cost_of =
                    [&](const runtime::CostWorkload& other) { return runtime::model_cost(model, other); },
                .workload = workload,
                .devices = runtime::gather_devices(communicator, machinery.device, model.config(), workload,
                                                   host_place(communicator).count),
                .work = runtime::workload_of(work.requests),
                .config = settings.run_config.partition},
      .plan = {}};
  comm::run_collectively(communicator, "planning", [&] {
    planning.plan = planning.input.plan();
    if (planning.plan.fits) return;
    tell(planning);
    throw common::DoesNotFitError("the model does not fit: " + shortage(planning.plan),
                                  fit_advice(planning.input));
  });
  comm::check_agreement(communicator, {{"plan", runtime::plan_json(planning.plan)}});
  return planning;
}

// What all windows up to now have taken, and done, together.
class WindowTotals {
 public:
  explicit WindowTotals(int ranks) : metrics_(static_cast<std::size_t>(ranks)) {}

  std::vector<runtime::RankMetrics> with(const std::vector<runtime::RankMetrics>& window) const {
    std::vector<runtime::RankMetrics> sums = metrics_;
    for (std::size_t rank = 0; rank < sums.size(); ++rank) sums[rank] += window[rank];
    return sums;
  }
  void add(const std::vector<runtime::RankMetrics>& window) { metrics_ = with(window); }
  // For a run that writes its trace: it grows with every window.
  void add(const runtime::Trace& window) {
    if (trace_.events.empty()) trace_.origin = window.origin;
    trace_.append(window);
  }
  const runtime::Trace& trace() const { return trace_; }

 private:
  std::vector<runtime::RankMetrics> metrics_;  // by rank
  runtime::Trace trace_;                       // of this rank
};

// How far the writing of a window's results is, from how far that of one is. One that failed counts as
// written.
class WindowWriting {
 public:
  WindowWriting(std::int64_t results, RunObserver& observer) : results_(results), observer_(observer) {}

  void tell(const results::WritingProgress& one) {
    units_ = one.total;
    observer_.writing({.done = gone_ * units_ + one.done, .total = results_ * units_});
  }
  void written() { ++gone_; }
  void failed() {
    ++gone_;
    if (units_ > 0) observer_.writing({.done = gone_ * units_, .total = results_ * units_});
  }

 private:
  std::int64_t results_;
  RunObserver& observer_;
  std::int64_t gone_ = 0;
  std::int64_t units_ = 0;  // of a result; not known before the first one is written
};

// Writes every rank's trace into one file.
void write_trace(const Settings& settings, comm::Communicator& communicator, const partition::Plan& plan,
                 const runtime::Trace& trace, const std::string& run_id) {
  if (!settings.trace) return;
  const auto all = communicator.all_gather(runtime::serialise(trace), "gathering the trace");
  if (communicator.rank() != 0) return;
  std::vector<results::TracedRank> ranks;
  for (const partition::StagePlan& stage : plan.stages) {
    ranks.push_back({fmt::format("rank {} on {}: blocks {}-{}", stage.rank, stage.host, stage.blocks.begin,
                                 stage.blocks.end - 1),
                     runtime::deserialise_trace(all[static_cast<std::size_t>(stage.rank)])});
  }
  results::write_trace(*settings.trace, ranks, run_id);
}

}  // namespace

void make_results(const Job& job, const Settings& settings, ResultSink& sink,
                  comm::Communicator& communicator, const RunControl& control) {
  const bool is_first = communicator.rank() == 0;
  RunObserver& observer = control.observer;
  const Machinery machinery = set_up(job, settings, communicator);
  const runtime::DeviceFacts& device = machinery.device;
  runtime::Engine& engine = *machinery.engine;
  if (is_first && !device.remark.empty()) observer.notice("--device auto takes the CPU: " + device.remark);
  comm::check_agreement(communicator, facts_of(settings, machinery));
  control.doing = "the pictures";
  Inputs inputs(job, communicator, control.stop_requested, observer);
  Work& work = inputs.work();
  for (results::RunRecord& record : work.records) record_setup(settings, machinery, record);
  comm::run_collectively(communicator, "checking what is to be made", [&] {
    for (const runtime::Request& request : work.requests) engine.check(request);
  });
  const auto tell = [&](const Planning& planning) {
    if (is_first) observer.planned({planning.plan, planning.input, job, settings, device});
  };
  const Planning planning = make_plan(settings, communicator, machinery, work, tell);
  const partition::Plan& plan = planning.plan;
  comm::run_collectively(communicator, "preparing for the results", [&] {
    if (is_first) sink.begin(machinery, work);
  });
  tell(planning);
  FailedRequests failed(work.records, observer);
  const std::string run_id = make_run_id();
  WindowTotals totals(communicator.size());
  double write_seconds = 0;  // of all results up to now
  {
    if (is_first) observer.work_begins([device] { return runtime::memory_use(device.device); });
    const auto end_of_work = c10::make_scope_exit([&] {
      if (is_first) observer.work_ends();
    });
    const auto count = static_cast<std::int64_t>(work.requests.size());
    const std::vector<common::Range> windows = runtime::windows_of(plan, count);
    for (std::size_t i = 0; i < windows.size(); ++i) {
      const auto first = static_cast<std::size_t>(windows[i].begin);
      const std::vector<runtime::Request> requests = inputs.window(windows[i]);
      if (i + 1 < windows.size()) inputs.read_ahead(windows[i + 1]);
      if (is_first) observer.window_begins(windows[i], count);
      runtime::Progress last{};
      const auto progress = [&](const runtime::Progress& now) {
        last = now;
        if (is_first) observer.progress(now);
        control.doing = doing_after(now);
      };
      WindowWriting writing(windows[i].size(), observer);
      const auto take = [&](std::size_t index, const runtime::Result& result) {
        control.doing = fmt::format("writing result {}", first + index);
        communicator.now_doing(control.doing);
        const double begin = common::now();
        results::RunRecord record = work.records[first + index];
        const std::vector<runtime::RankMetrics> ranks = totals.with(engine.metrics());
        record_metrics({plan, ranks, result.step_seconds, run_id}, record);
        record_memory(engine, device.device, record);
        record.write_seconds = write_seconds;
        sink.take(first + index, record, result, [&](const results::WritingProgress& now) {
          communicator.report_progress();
          communicator.check();
          writing.tell(now);
        });
        writing.written();
        write_seconds += common::now() - begin;
        if (last.done < last.total) progress(last);  // decoding goes on
      };
      const auto fail = [&](std::size_t index, const std::exception_ptr& reason) {
        failed.add(first + index, reason);
        writing.failed();
      };
      engine.run(requests, plan,
                 {.progress = progress, .result = take, .failed = fail, .first_request = windows[i].begin},
                 control.stop_requested);
      totals.add(engine.metrics());
      if (settings.trace) totals.add(engine.trace());
    }
  }
  write_trace(settings, communicator, plan, totals.trace(), run_id);
  // The stages' edges are closed at about the same time, which NCCL waits for.
  communicator.barrier("ending");
  failed.throw_if_any();
}

}  // namespace layerpipe::session
