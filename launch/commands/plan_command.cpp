#include "launch/commands/plan_command.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "comm/agreement.h"
#include "comm/communicator.h"
#include "comm/run_collectively.h"
#include "common/errors.h"
#include "common/units.h"
#include "launch/options/plan_options.h"
#include "launch/terminal/plan_report.h"
#include "launch/terminal/terminal.h"
#include "partition/partitioner.h"
#include "runtime/device/device_survey.h"
#include "runtime/networks/model_folder.h"
#include "runtime/plan/cost.h"
#include "runtime/plan/plan_json.h"
#include "runtime/plan/plan_times.h"
#include "runtime/plan/run_plan.h"
#include "session/dtype.h"
#include "session/fit_advice.h"
#include "session/ranks.h"

namespace layerpipe::launch {
namespace {

runtime::CostWorkload workload_for(const PlanOptions& options, const at::Device& kind, std::int64_t threads) {
  return {.picture = {options.job.resolution, options.job.resolution},
          .layers = options.job.layers,
          .branches = options.job.no_cfg ? 1 : 2,
          .device = kind,
          .dtype = session::dtype_of(options.run_config.dtype, kind),
          .linears = session::linears_of(options.run_config.dtype),
          .threads = threads,
          .over_nccl = options.run_config.comm.channel != runtime::ChannelChoice::kMpi};
}

// What is planned for: devices that are imagined, which are GPUs; those of the ranks, when there are several;
// or a rank for each GPU of this machine.
struct PlannedDevices {
  runtime::Survey survey;
  std::optional<runtime::DeviceFacts> own{};  // this rank's, where speeds are measured
};

// Called by all ranks.
PlannedDevices devices_for(const PlanOptions& options, const runtime::ModelFolder& model,
                           std::int64_t threads, comm::Communicator& communicator) {
  if (!options.devices.empty())
    return {.survey = {.devices = options.devices, .kind = at::Device(at::kCUDA, 0), .remark = {}}};
  if (communicator.size() == 1) return {.survey = runtime::survey_machine()};
  runtime::DeviceFacts mine;
  const runtime::HostPlace place = session::host_place(communicator);
  comm::run_collectively(communicator, "looking at the devices", [&] {
    mine = runtime::choose_device(runtime::DeviceChoice::kAuto, place);
    runtime::use_device(mine.device);
    session::stay_near(mine);
  });
  comm::check_agreement(communicator, {{"kind of device", mine.device.is_cpu() ? "CPU" : "GPU"}});
  return {.survey = {.devices = runtime::gather_devices(communicator, mine, model,
                                                        workload_for(options, mine.device, threads)),
                     .kind = mine.device,
                     .remark = mine.remark},
          .own = mine};
}

// Where speeds are measured, those of what streams too. Called by all ranks.
void predict_times(session::PlanInput& input, const partition::ModelCost& cost, const PlannedDevices& devices,
                   const runtime::ModelFolder& model, comm::Communicator& communicator,
                   partition::Plan& plan) {
  if (devices.own && comm::on_any_rank(communicator, plan.fits && plan.streams(), "comparing plans"))
    runtime::measure_streaming(communicator, *devices.own, model, plan, input.devices);
  runtime::predict_times(plan, cost, input.devices, input.work);
}

// Writes the plan; throws DoesNotFitError behind it.
void show_plan(const PlanOptions& options, const session::PlanInput& input, const partition::Plan& plan,
               std::ostream& out) {
  out << (options.format == PlanFormat::kJson
              ? runtime::plan_json(plan)
              : plan_table(plan, {.model = options.model.folder.string(),
                                  .work = work_text({.layers = options.job.layers,
                                                     .resolution = options.job.resolution,
                                                     .branches = input.work.branches,
                                                     .pictures = options.job.num_images,
                                                     .dtype = session::word_of(input.workload.dtype,
                                                                               input.workload.linears)}),
                                  .pictures = options.job.num_images,
                                  .notes = options.devices.empty()
                                               ? device_notes(input.devices, input.workload.device)
                                               : ""}));
  if (plan.fits) return;
  out.flush();  // before the message on stderr
  throw common::DoesNotFitError("the model does not fit: " + session::shortage(plan),
                                session::fit_advice(input));
}

// Called by all ranks, whose devices are planned for, unless there are imagined ones; a rank alone plans for
// all GPUs of its machine. Rank 0 writes the plan to `out`, and to stderr what a person should know of the
// machine. Throws InputError, and when the model does not fit, after writing, DoesNotFitError; AgreedError
// with either when there are several ranks.
void run_plan(const PlanOptions& options, comm::Communicator& communicator, std::ostream& out) {
  std::optional<runtime::ModelFolder> model;
  std::vector<std::string> remarks;
  session::share_cores(communicator);
  comm::run_collectively(communicator, "opening the model", [&] {
    model.emplace(options.model.folder,
                  options.job.random_weights ? runtime::WeightOrigin::kRandom : runtime::WeightOrigin::kFiles,
                  options.model.variant, options.model.files);
    remarks = model->remarks(session::linears_of(options.run_config.dtype));
  });
  const std::int64_t threads = runtime::most_threads(communicator);
  const PlannedDevices devices = devices_for(options, *model, threads, communicator);
  const bool is_first = communicator.rank() == 0;
  std::ostringstream unheard;  // of the others, who find the same
  if (is_first) {
    for (const std::string& said : remarks) say(said + "\n");
  }
  const std::string& remark = devices.survey.remark;
  if (is_first && !remark.empty()) say(fmt::format("the plan is for the CPU: {}\n", remark));
  const auto say_if_any = [&](const std::string& line) {
    if (is_first && !line.empty()) say(line);
  };
  say_if_any(missing_speeds(options.devices));
  session::PlanInput input{
      .cost_of = [&](const runtime::CostWorkload& workload) { return runtime::model_cost(*model, workload); },
      .workload = workload_for(options, devices.survey.kind, threads),
      .devices = devices.survey.devices,
      .work = {.requests = options.job.num_images,
               .steps = options.job.steps,
               .branches = options.job.no_cfg ? 1 : 2},
      .config = options.run_config.partition};
  partition::ModelCost cost;
  partition::Plan plan;
  comm::run_collectively(communicator, "planning", [&] {
    cost = input.cost_of(input.workload);
    plan = input.split(cost);
  });
  predict_times(input, cost, devices, *model, communicator, plan);
  if (!options.devices.empty()) say_if_any(missing_streaming_speeds(options.devices, plan));
  comm::run_collectively(communicator, "planning",
                         [&] { show_plan(options, input, plan, is_first ? out : unheard); });
}

}  // namespace

Command plan_command() {
  return {.name = "plan",
          .help = "Show who would hold what, and whether it fits",
          .add_options = add_plan_options,
          .read = [](const CLI::App& command) -> PreparedCommand {
            const PlanOptions options = read_plan_options(command);
            return {.timeout_of_ranks = options.run_config.comm.timeout,
                    .load = Load::kLight,
                    .run = [options](const CommandContext& context) {
                      run_plan(options, *context.communicator, context.out);
                    }};
          }};
}

}  // namespace layerpipe::launch
