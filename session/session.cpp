#include "session/session.h"

#include <c10/util/ScopeExit.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "comm/agreement.h"
#include "comm/run_collectively.h"
#include "common/clock.h"
#include "common/errors.h"
#include "model/latents.h"
#include "results/trace_file.h"
#include "runtime/device/memory.h"
#include "runtime/observe/trace.h"
#include "runtime/plan/plan_json.h"
#include "runtime/plan/plan_times.h"
#include "runtime/plan/run_plan.h"
#include "runtime/plan/windows.h"
#include "session/cut_prompts.h"
#include "session/dtype.h"
#include "session/exit_report.h"
#include "session/fit_advice.h"
#include "session/ranks.h"
#include "session/recording.h"

namespace layerpipe::session {
namespace {

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

// What the largest of the pictures would be worked on at with another resolution.
common::Size largest_at(std::int64_t resolution, std::span<const results::RunRecord> records) {
  common::Size largest;
  for (const results::RunRecord& record : records) {
    const common::Size size = model::working_size(record.picture_size, resolution);
    if (size.width * size.height > largest.width * largest.height) largest = size;
  }
  return largest;
}

// Made on rank 0 alone: nanoseconds since 1970, so that two runs hardly ever have the same.
std::string make_run_id() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace

// A plan, the same on every rank, and what it was made from.
struct Session::Planning {
  PlanInput input;
  partition::Plan plan;
};

// What the windows of a job up to now have taken together, by rank.
class Session::Totals {
 public:
  explicit Totals(int ranks) : metrics_(static_cast<std::size_t>(ranks)) {}

  std::vector<runtime::RankMetrics> with(const std::vector<runtime::RankMetrics>& window) const {
    std::vector<runtime::RankMetrics> sums = metrics_;
    for (std::size_t rank = 0; rank < sums.size(); ++rank) sums[rank] += window[rank];
    return sums;
  }
  void add(const std::vector<runtime::RankMetrics>& window) { metrics_ = with(window); }

  // Of writing the results up to now.
  double write_seconds() const noexcept { return write_seconds_; }
  void add_writing(double seconds) { write_seconds_ += seconds; }

 private:
  double write_seconds_ = 0;
  std::vector<runtime::RankMetrics> metrics_;
};

Session::Session(Settings settings, comm::Communicator& communicator, const RunControl& control)
    : settings_(std::move(settings)),
      communicator_(communicator),
      control_(control),
      machinery_(set_up(settings_, communicator)),
      run_id_(make_run_id()) {
  const std::string& remark = machinery_.device.remark;
  if (is_first() && !remark.empty()) control_.observer.notice("--device auto takes the CPU: " + remark);
  if (is_first()) {
    for (const std::string& said : machinery_.engine->model().remarks(machinery_.linears))
      control_.observer.notice(said);
  }
  comm::check_agreement(communicator_, facts_of(settings_, machinery_));
}

void Session::check(const Job& job) const {
  if (job.seed_device == "cuda" && machinery_.device.device.is_cpu())
    throw common::InputError("--seed-device cuda needs a GPU", "Take --seed-device cpu.");
  if (job.random_weights == settings_.random_weights) return;
  throw common::InputError(job.random_weights
                               ? "the job asks for random weights, but those of the model folder are loaded"
                               : "the job asks for the model's weights, but random ones are loaded",
                           "Give it to a run of its own.");
}

// The devices are asked once: what the jobs before have loaded is not free any more, but ours.
Session::Planning Session::plan(const Job& job, const Work& work) {
  const runtime::ModelFolder& model = machinery_.engine->model();
  runtime::CostWorkload workload =
      runtime::cost_workload_of(work.requests, model, machinery_.device, machinery_.dtype, communicator_);
  workload.linears = machinery_.linears;
  workload.over_nccl = machinery_.channel == comm::ChannelKind::kNccl;
  if (!devices_) {
    devices_ = runtime::gather_devices(communicator_, machinery_.device, model, workload);
  }
  Planning planning{
      .input = {
          .cost_of =
              [&model](const runtime::CostWorkload& other) { return runtime::model_cost(model, other); },
          .workload = workload,
          .devices = *devices_,
          .work = runtime::workload_of(work.requests, model.config(), machinery_.dtype),
          .config = settings_.run_config.partition,
          .present = present_,
          .size_at = [&records =
                          work.records](std::int64_t resolution) { return largest_at(resolution, records); }},
      .plan = {}};
  partition::ModelCost cost;
  comm::run_collectively(communicator_, "planning", [&] {
    cost = planning.input.cost_of(workload);
    planning.plan = planning.input.split(cost);
    if (planning.plan.fits) return;
    runtime::predict_times(planning.plan, cost, planning.input.devices, planning.input.work);
    if (is_first())
      control_.observer.planned({planning.plan, planning.input, job, settings_, machinery_.device});
    throw common::DoesNotFitError("the model does not fit: " + shortage(planning.plan),
                                  fit_advice(planning.input));
  });
  if (comm::on_any_rank(communicator_, planning.plan.streams(), "comparing plans")) {
    runtime::measure_streaming(communicator_, machinery_.device, model, planning.plan, *devices_);
    planning.input.devices = *devices_;
  }
  runtime::predict_times(planning.plan, cost, planning.input.devices, planning.input.work);
  comm::check_agreement(communicator_, {{"plan", runtime::plan_json(planning.plan)}});
  return planning;
}

void Session::make(const Job& job, ResultSink& sink) {
  RunObserver& observer = control_.observer;
  control_.doing = "the pictures";
  comm::run_collectively(communicator_, "checking the job", [&] { check(job); });
  comm::check_agreement(communicator_, {{"job", to_json(job)}});
  Inputs inputs(job, communicator_, control_.stop_requested, observer);
  Work& work = inputs.work();
  for (results::RunRecord& record : work.records) record_setup(settings_, machinery_, record);
  comm::run_collectively(communicator_, "checking what is to be made", [&] {
    for (const runtime::Request& request : work.requests) machinery_.engine->check(request);
    if (!is_first()) return;
    for (const std::string& sentence : note_cut_prompts(machinery_.engine->model(), work))
      observer.notice(sentence);
  });
  const Planning planning = plan(job, work);
  comm::run_collectively(communicator_, "preparing for the results", [&] {
    if (is_first()) sink.begin(machinery_, work, [this] { communicator_.report_progress(); });
  });
  if (is_first()) observer.planned({planning.plan, planning.input, job, settings_, machinery_.device});
  FailedRequests failed(work.records, observer);
  run_windows(planning, inputs, sink, failed);
  comm::run_collectively(communicator_, "putting the results in their places", [&] {
    if (is_first()) sink.finish();
  });
  write_trace(planning.plan);
  // The ranks part, or go on to the next job, at about the same time: closing the stages' edges, NCCL waits
  // for all.
  communicator_.barrier("ending");
  failed.throw_if_any();
}

void Session::run_windows(const Planning& planning, Inputs& inputs, ResultSink& sink,
                          FailedRequests& failed) {
  RunObserver& observer = control_.observer;
  const at::Device device = machinery_.device.device;
  if (is_first()) observer.work_begins([device] { return runtime::memory_use(device); });
  const auto end_of_work = c10::make_scope_exit([&] {
    if (is_first()) observer.work_ends();
  });
  const auto count = static_cast<std::int64_t>(inputs.work().requests.size());
  const std::vector<common::Range> windows = runtime::windows_of(planning.plan, count);
  Totals totals(communicator_.size());
  present_ = planning.plan;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const std::vector<runtime::Request> requests = inputs.window(windows[i]);
    if (i + 1 < windows.size()) inputs.read_ahead(windows[i + 1]);
    if (is_first()) observer.window_begins(windows[i], count);
    run_window(windows[i], requests, planning.plan, inputs.work(), sink, failed, totals);
  }
  results_before_ += count;
}

void Session::run_window(const common::Range& results, std::span<const runtime::Request> requests,
                         const partition::Plan& plan, const Work& work, ResultSink& sink,
                         FailedRequests& failed, Totals& totals) {
  runtime::Engine& engine = *machinery_.engine;
  const auto first = static_cast<std::size_t>(results.begin);
  runtime::Progress last{};
  const auto progress = [&](const runtime::Progress& now) {
    last = now;
    if (is_first()) control_.observer.progress(now);
    control_.doing = doing_after(now);
  };
  WindowWriting writing(results.size(), control_.observer);
  const auto take = [&](std::size_t index, const runtime::Result& result) {
    control_.doing = fmt::format("writing result {}", first + index);
    communicator_.now_doing(control_.doing);
    const double begin = common::now();
    results::RunRecord record = work.records[first + index];
    const std::vector<runtime::RankMetrics> ranks = totals.with(engine.metrics());
    record_metrics({plan, ranks, result.step_seconds, run_id_}, record);
    record_memory(engine, machinery_.device.device, record);
    record.write_seconds = totals.write_seconds();
    sink.take(first + index, record, result, [&](const results::WritingProgress& now) {
      communicator_.report_progress();
      communicator_.check();
      writing.tell(now);
    });
    writing.written();
    totals.add_writing(common::now() - begin);
    if (last.done < last.total) progress(last);  // decoding goes on
  };
  const auto fail = [&](std::size_t index, const std::exception_ptr& reason) {
    failed.add(first + index, reason);
    writing.failed();
  };
  engine.run(requests, plan,
             {.progress = progress,
              .result = take,
              .failed = fail,
              .first_request = results_before_ + results.begin},
             control_.stop_requested,
             std::span(work.requests).subspan(static_cast<std::size_t>(results.end)));
  totals.add(engine.metrics());
  if (!settings_.trace) return;
  if (trace_.events.empty()) trace_.origin = engine.trace().origin;
  trace_.append(engine.trace());
}

// Every rank's trace goes into one file.
void Session::write_trace(const partition::Plan& plan) const {
  if (!settings_.trace) return;
  const auto all = communicator_.all_gather(runtime::serialise(trace_), "gathering the trace");
  if (!is_first()) return;
  std::vector<results::TracedRank> ranks;
  for (const partition::StagePlan& stage : plan.stages) {
    ranks.push_back({fmt::format("rank {} on {}: blocks {}-{}", stage.rank, stage.host, stage.blocks.begin,
                                 stage.blocks.end - 1),
                     runtime::deserialise_trace(all[static_cast<std::size_t>(stage.rank)])});
  }
  results::write_trace(*settings_.trace, ranks, run_id_);
}

}  // namespace layerpipe::session
