#include "session/session.h"

#include <c10/util/ScopeExit.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "comm/run_collectively.h"
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

namespace layerpipe::session {
namespace {

// Rank 0's alone: nanoseconds since 1970, so that two runs have the same hardly ever.
std::string make_run_id() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// `ranks`: of all windows up to this result.
results::RunMetrics make_metrics(const runtime::Engine& engine, const partition::Plan& plan,
                                 std::vector<runtime::RankMetrics> ranks, const runtime::Result& result,
                                 const at::Device& device, const std::string& run_id) {
  results::RunMetrics figures{.run_id = run_id,
                              .plan = plan,
                              .ranks = std::move(ranks),
                              .step_seconds = result.step_seconds,
                              .weight_bytes = {}};
  for (const partition::Network network : partition::kNetworks)
    figures.weight_bytes.emplace_back(network, engine.weight_bytes(network));
  figures.host_peak_bytes = runtime::memory_use(at::kCPU).peak;
  if (!device.is_cpu()) return figures;
  // On the CPU each phase begins a new peak.
  for (const partition::Phase phase : partition::kPhases)
    figures.host_peak_bytes = std::max(figures.host_peak_bytes, figures.ranks[0].phases[phase].peak_bytes);
  return figures;
}

// A plan, the same on every rank, and what it was made from.
struct Planning {
  PlanInput input;
  partition::Plan plan;
};

// Rank 0's observer hears of a plan that does not fit.
Planning make_plan(const DecomposeOptions& options, comm::Communicator& communicator,
                   const Machinery& machinery, const Work& work, RunObserver& observer) {
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
                .config = options.run_config.partition},
      .plan = {}};
  comm::run_collectively(communicator, "planning", [&] {
    planning.plan = planning.input.plan();
    if (planning.plan.fits) return;
    if (communicator.rank() == 0)
      observer.planned({planning.plan, planning.input, options, machinery.device});
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
  void add(const runtime::Engine& engine) {
    metrics_ = with(engine.metrics());
    if (trace_.events.empty()) trace_.origin = engine.trace().origin;
    trace_.append(engine.trace());
  }
  const runtime::Trace& trace() const { return trace_; }

 private:
  std::vector<runtime::RankMetrics> metrics_;  // by rank
  runtime::Trace trace_;                       // of this rank
};

// Every rank's trace, in one file.
void write_trace(const DecomposeOptions& options, comm::Communicator& communicator,
                 const partition::Plan& plan, const runtime::Trace& trace, const std::string& run_id) {
  if (!options.output.trace) return;
  const auto all = communicator.all_gather(runtime::serialise(trace), "gathering the trace");
  if (communicator.rank() != 0) return;
  std::vector<results::TracedRank> ranks;
  for (const partition::StagePlan& stage : plan.stages) {
    ranks.push_back({fmt::format("rank {} on {}: blocks {}-{}", stage.rank, stage.host, stage.blocks.begin,
                                 stage.blocks.end - 1),
                     runtime::deserialise_trace(all[static_cast<std::size_t>(stage.rank)])});
  }
  results::write_trace(*options.output.trace, ranks, run_id);
}

}  // namespace

void make_results(const DecomposeOptions& options, const std::vector<results::OptionRecord>& records,
                  ResultSink& sink, comm::Communicator& communicator, const RunControl& control) {
  const bool is_first = communicator.rank() == 0;
  RunObserver& observer = control.observer;
  const Machinery machinery = set_up(options, communicator);
  const runtime::DeviceFacts& device = machinery.device;
  runtime::Engine& engine = *machinery.engine;
  if (is_first && !device.remark.empty()) observer.notice("--device auto takes the CPU: " + device.remark);
  comm::check_agreement(communicator, facts_of(records, machinery));
  control.doing = "the pictures";
  Inputs inputs(options, communicator, control.stop_requested, observer);
  const Work& work = inputs.work();
  comm::run_collectively(communicator, "checking what is to be made", [&] {
    for (const runtime::Request& request : work.requests) engine.check(request);
  });
  const auto [input, plan] = make_plan(options, communicator, machinery, work, observer);
  comm::run_collectively(communicator, "preparing for the results", [&] {
    if (is_first) sink.begin(machinery, work);
  });
  if (is_first) observer.planned({plan, input, options, device});
  FailedRequests failed(work.records, observer);
  const std::string run_id = make_run_id();
  WindowTotals totals(communicator.size());
  {
    if (is_first) observer.work_begins([device] { return runtime::memory_use(device.device); });
    const auto end_of_work = c10::make_scope_exit([&] {
      if (is_first) observer.work_ends();
    });
    const std::vector<common::Range> windows =
        runtime::windows_of(plan, static_cast<std::int64_t>(work.requests.size()));
    for (std::size_t i = 0; i < windows.size(); ++i) {
      const auto first = static_cast<std::size_t>(windows[i].begin);
      const std::vector<runtime::Request> requests = inputs.window(windows[i]);
      if (i + 1 < windows.size()) inputs.read_ahead(windows[i + 1]);
      if (is_first) observer.window_begins(windows[i], static_cast<std::int64_t>(work.requests.size()));
      engine.run(requests, plan,
                 {.progress =
                      [&](const runtime::Progress& progress) {
                        if (is_first) observer.progress(progress);
                        control.doing = doing_after(progress);
                      },
                  .result =
                      [&](std::size_t index, const runtime::Result& result) {
                        communicator.now_doing(fmt::format("writing result {}", first + index));
                        sink.take(first + index, work.records[first + index], result,
                                  make_metrics(engine, plan, totals.with(engine.metrics()), result,
                                               device.device, run_id),
                                  [&] {
                                    communicator.report_progress();
                                    communicator.check();
                                  });
                      },
                  .failed = [&](std::size_t index,
                                const std::exception_ptr& reason) { failed.add(first + index, reason); }},
                 control.stop_requested);
      totals.add(engine);
    }
  }
  write_trace(options, communicator, plan, totals.trace(), run_id);
  communicator.barrier(
      "ending");  // the stages' edges are closed at about the same time, which NCCL waits for
  failed.throw_if_any();
}

}  // namespace layerpipe::session
