#include "launch/decompose_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "comm/run_collectively.h"
#include "common/errors.h"
#include "launch/dtype.h"
#include "launch/failed_requests.h"
#include "launch/failure.h"
#include "launch/plan_report.h"
#include "launch/progress_display.h"
#include "launch/ranks.h"
#include "launch/terminal.h"
#include "launch/what_would_fit.h"
#include "runtime/memory.h"
#include "runtime/plan_json.h"
#include "runtime/run_plan.h"
#include "runtime/trace.h"

namespace layerpipe::launch {
namespace {

// Rank 0's alone: nanoseconds since 1970, so that two runs have the same hardly ever.
std::string make_run_id() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

runtime::RunFigures make_figures(const runtime::Engine& engine, const partition::Plan& plan,
                                 const runtime::Result& result, const at::Device& device,
                                 const std::string& run_id) {
  runtime::RunFigures figures{.run_id = run_id,
                              .plan = plan,
                              .ranks = engine.figures(),
                              .step_seconds = result.step_seconds,
                              .weight_bytes = {}};
  for (const runtime::Network network : runtime::kNetworks)
    figures.weight_bytes.emplace_back(network, engine.weight_bytes(network));
  figures.host_peak_bytes = runtime::memory_use(at::kCPU).peak;
  if (!device.is_cpu()) return figures;
  // On the CPU each phase begins a new peak.
  for (const runtime::Phase phase : runtime::kPhases)
    figures.host_peak_bytes = std::max(figures.host_peak_bytes, figures.ranks[0].phases[phase].peak_bytes);
  return figures;
}

// The same plan on every rank, and its table, which rank 0 shows: here when it does not fit.
struct ShownPlan {
  partition::Plan plan;
  std::string table;
};

ShownPlan make_plan(const DecomposeOptions& options, comm::Communicator& communicator,
                    const Machinery& machinery, const Work& work) {
  const runtime::ModelFolder& model = machinery.engine->model();
  runtime::CostWorkload workload =
      runtime::cost_workload_of(work.requests, model, machinery.device, machinery.dtype, communicator);
  workload.over_nccl = machinery.channel == comm::ChannelKind::kNccl;
  const PlanInput input{
      .cost_of = [&](const runtime::CostWorkload& other) { return runtime::model_cost(model, other); },
      .workload = workload,
      .devices = runtime::gather_devices(communicator, machinery.device, model.config(), workload,
                                         host_place(communicator).count),
      .work = runtime::workload_of(work.requests),
      .config = options.run_config.partition};
  ShownPlan shown;
  comm::run_collectively(communicator, "planning", [&] {
    shown.plan = input.plan();
    shown.table = plan_table(shown.plan, {.model = options.model.string(),
                                          .work = work_text({.layers = options.work.layers,
                                                             .resolution = options.work.resolution,
                                                             .branches = input.work.branches,
                                                             .pictures = input.work.requests,
                                                             .dtype = word_of(machinery.dtype)}),
                                          .notes = device_notes(input.devices, machinery.device.device)});
    if (shown.plan.fits) return;
    if (communicator.rank() == 0 && !options.quiet) say(shown.table);
    throw common::DoesNotFitError("the model does not fit: " + shortage(shown.plan), what_would_fit(input));
  });
  comm::check_agreement(communicator, {{"plan", runtime::plan_json(shown.plan)}});
  return shown;
}

// Every rank's trace, in one file.
void write_trace(const DecomposeOptions& options, comm::Communicator& communicator,
                 const partition::Plan& plan, const runtime::Trace& trace, const std::string& run_id) {
  if (!options.trace) return;
  const auto all = communicator.all_gather(runtime::serialise(trace), "gathering the trace");
  if (communicator.rank() != 0) return;
  std::vector<runtime::TracedRank> ranks;
  for (const partition::StagePlan& stage : plan.stages) {
    ranks.push_back({fmt::format("rank {} on {}: blocks {}-{}", stage.rank, stage.host, stage.blocks.begin,
                                 stage.blocks.end - 1),
                     runtime::deserialise_trace(all[static_cast<std::size_t>(stage.rank)])});
  }
  runtime::write_trace(*options.trace, ranks, run_id);
}

}  // namespace

void make_results(const DecomposeOptions& options, const std::vector<runtime::OptionRecord>& records,
                  ResultSink& sink, comm::Communicator& communicator, const RunControl& control) {
  const bool is_first = communicator.rank() == 0;
  const Machinery machinery = set_up(options, communicator);
  const runtime::DeviceFacts& device = machinery.device;
  runtime::Engine& engine = *machinery.engine;
  if (is_first && !options.quiet && !device.remark.empty())
    say(fmt::format("--device auto takes the CPU: {}\n", device.remark));
  comm::check_agreement(communicator, facts_of(records, machinery));
  control.doing = "the pictures";
  const Work work = make_work(options, communicator, control.stop_requested);
  comm::run_collectively(communicator, "checking what is to be made", [&] {
    for (const runtime::Request& request : work.requests) engine.check(request);
  });
  const auto [plan, table] = make_plan(options, communicator, machinery, work);
  comm::run_collectively(communicator, "preparing for the results", [&] {
    if (is_first) sink.begin(machinery, work);
  });
  if (is_first && !options.quiet) say(table);
  FailedRequests failed(work.records);
  const std::string run_id = make_run_id();
  {
    ProgressDisplay display(
        options.quiet || !is_first ? ProgressStyle::kQuiet : progress_style_for_stderr(),
        [&] { return runtime::memory_use(device.device); }, control.stop_requested);
    engine.run(
        work.requests, plan,
        {.progress =
             [&](const runtime::Progress& progress) {
               display.show(progress);
               control.doing = doing_after(progress);
             },
         .result =
             [&](std::size_t index, const runtime::Result& result) {
               communicator.now_doing(fmt::format("writing result {}", index));
               sink.take(index, work.records[index], result,
                         make_figures(engine, plan, result, device.device, run_id), [&] {
                           communicator.report_progress();
                           communicator.check();
                         });
             },
         .failed = [&](std::size_t index, const std::exception_ptr& reason) { failed.add(index, reason); }},
        control.stop_requested);
  }
  write_trace(options, communicator, plan, engine.trace(), run_id);
  failed.throw_if_any();
}

}  // namespace layerpipe::launch
