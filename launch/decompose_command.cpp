#include "launch/decompose_command.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "comm/together.h"
#include "common/errors.h"
#include "common/units.h"
#include "launch/decompose_work.h"
#include "launch/disk_space.h"
#include "launch/documents.h"
#include "launch/dtype.h"
#include "launch/failed_requests.h"
#include "launch/failure.h"
#include "launch/machinery.h"
#include "launch/plan_report.h"
#include "launch/progress_display.h"
#include "launch/ranks.h"
#include "launch/result_writer.h"
#include "launch/terminal.h"
#include "launch/what_would_fit.h"
#include "runtime/engine.h"
#include "runtime/memory.h"
#include "runtime/run_plan.h"
#include "runtime/trace.h"

namespace layerpipe::launch {
namespace {

runtime::RunFigures make_figures(const runtime::Engine& engine, const partition::Plan& plan,
                                 const runtime::Result& result, const at::Device& device) {
  runtime::RunFigures figures{
      .plan = plan, .ranks = engine.figures(), .step_seconds = result.step_seconds, .weight_bytes = {}};
  for (const runtime::Network network : runtime::kNetworks)
    figures.weight_bytes.emplace_back(network, engine.weight_bytes(network));
  figures.host_peak_bytes = runtime::memory_use(at::kCPU).peak;
  if (!device.is_cpu()) return figures;
  // On the CPU each phase begins a new peak.
  for (const runtime::Phase phase : runtime::kPhases)
    figures.host_peak_bytes = std::max(figures.host_peak_bytes, figures.ranks[0].phases[phase].peak_bytes);
  return figures;
}

runtime::RunOrigin origin_of(const DecomposeOptions& options,
                             const std::vector<runtime::OptionRecord>& option_records,
                             const Machinery& machinery) {
  return {.version = LAYERPIPE_VERSION,
          .command = "decompose",
          .options = option_records,
          .model_folder = options.model.string(),
          .pipeline = model::to_string(machinery.engine->model_config().pipeline),
          .fingerprint = machinery.fingerprint,
          .device = machinery.device,
          .dtype = word_of(machinery.dtype)};
}

// "2 layers of 640 × 448 pixels and composite.png, layers.psd".
std::string summary_of(const DecomposeOptions& options, const runtime::PixelSize& size) {
  std::vector<std::string> files;
  if (contains(options.formats, Format::kPng)) files.emplace_back(kCompositeName);
  for (const Format format : options.formats) {
    if (format != Format::kPng) files.push_back(document_name(format));
  }
  return fmt::format("{} layers of {} × {} pixels {} {}", options.work.layers, size.width, size.height,
                     contains(options.formats, Format::kPng) ? "and" : "in", fmt::join(files, ", "));
}

// `empty_layers`: of each result.
void print_summary(const ResultWriter& writer, const Work& work, const DecomposeOptions& options,
                   const std::vector<std::vector<std::size_t>>& empty_layers, double seconds) {
  for (std::size_t i = 0; i < work.records.size(); ++i) {
    const std::string folder = writer.folder(i).string();
    say(fmt::format("{}: {}\n", folder, summary_of(options, work.records[i].layer_size)));
    if (!empty_layers[i].empty()) say(fmt::format("{}: {}\n", folder, empty_layers_text(empty_layers[i])));
  }
  say(fmt::format("done in {}\n", common::format_duration(std::chrono::duration<double>(seconds))));
}

// The same plan on every rank, and its table, which rank 0 shows: here when it does not fit.
struct ShownPlan {
  partition::Plan plan;
  std::string table;
};

ShownPlan make_plan(const DecomposeOptions& options, comm::Communicator& communicator,
                    const Machinery& machinery, const Work& work) {
  const runtime::ModelFolder& model = machinery.engine->model();
  const PlanInput input{
      .cost_of = [&](const runtime::CostWorkload& workload) { return runtime::model_cost(model, workload); },
      .workload = runtime::cost_workload_of(work.requests, model, machinery.device, machinery.dtype),
      .devices = runtime::gather_devices(communicator, machinery.device, machinery.dtype,
                                         host_place(communicator).count),
      .work = runtime::workload_of(work.requests),
      .config = options.run_config.partition};
  ShownPlan shown;
  comm::together(communicator, "planning", [&] {
    shown.plan = input.plan();
    shown.table = plan_table(shown.plan, {.model = options.model.string(),
                                          .work = work_text({.layers = options.work.layers,
                                                             .resolution = options.work.resolution,
                                                             .branches = input.work.branches,
                                                             .pictures = input.work.requests,
                                                             .dtype = word_of(machinery.dtype)}),
                                          .notes = {}});
    if (shown.plan.fits) return;
    if (communicator.rank() == 0 && !options.quiet) say(shown.table);
    throw common::DoesNotFitError("the model does not fit: " + shortage(shown.plan), what_would_fit(input));
  });
  return shown;
}

// Every rank's trace, in one file.
void write_trace(const DecomposeOptions& options, comm::Communicator& communicator,
                 const partition::Plan& plan, const runtime::Trace& trace) {
  if (!options.trace) return;
  const auto all = communicator.all_gather(runtime::serialise(trace), "gathering the trace");
  if (communicator.rank() != 0) return;
  std::vector<runtime::TracedRank> ranks;
  for (const partition::StagePlan& stage : plan.stages) {
    ranks.push_back({fmt::format("rank {} on {}: blocks {}-{}", stage.rank, stage.host, stage.blocks.begin,
                                 stage.blocks.end - 1),
                     runtime::deserialise_trace(all[static_cast<std::size_t>(stage.rank)])});
  }
  runtime::write_trace(*options.trace, ranks);
}

}  // namespace

void run_decompose(const DecomposeOptions& options, const std::vector<runtime::OptionRecord>& option_records,
                   comm::Communicator& communicator, const std::atomic<bool>& stop_requested,
                   std::string& doing) {
  const auto start = std::chrono::steady_clock::now();
  const bool is_first = communicator.rank() == 0;
  const Machinery machinery = set_up(options, communicator);
  const runtime::DeviceFacts& device = machinery.device;
  runtime::Engine& engine = *machinery.engine;
  if (is_first && !options.quiet && !device.remark.empty())
    say(fmt::format("--device auto takes the CPU: {}\n", device.remark));
  runtime::check_agreement(communicator, facts_of(option_records, machinery));
  doing = "the pictures";
  const Work work = make_work(options, communicator, stop_requested);
  comm::together(communicator, "checking what is to be made", [&] {
    for (const runtime::Request& request : work.requests) engine.check(request);
  });
  const auto [plan, table] = make_plan(options, communicator, machinery, work);
  std::optional<ResultWriter> writer;
  comm::together(communicator, "making folders", [&] {
    if (!is_first) return;
    check_writing_memory(work.records, runtime::memory_use(at::kCPU));
    check_disk_space(options, work.requests, work.records, engine.model_config());
    writer.emplace(options, work.requests.size(), origin_of(options, option_records, machinery));
  });
  if (is_first && !options.quiet) say(table);
  FailedRequests failed(work.records);
  std::vector<std::vector<std::size_t>> empty_layers(work.records.size());
  {
    ProgressDisplay display(
        options.quiet || !is_first ? ProgressStyle::kQuiet : progress_style_for_stderr(),
        [&] { return runtime::memory_use(device.device); }, stop_requested);
    engine.run(
        work.requests, plan,
        {.progress =
             [&](const runtime::Progress& progress) {
               display.show(progress);
               doing = doing_after(progress);
             },
         .result =
             [&](std::size_t index, const runtime::Result& result) {
               empty_layers[index] = writer->write(index, work.records[index], result,
                                                   make_figures(engine, plan, result, device.device));
             },
         .failed = [&](std::size_t index, const std::exception_ptr& reason) { failed.add(index, reason); }},
        stop_requested);
  }
  write_trace(options, communicator, plan, engine.trace());
  failed.throw_if_any();
  if (!is_first || options.quiet) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  print_summary(*writer, work, options, empty_layers, took.count());
}

}  // namespace layerpipe::launch
