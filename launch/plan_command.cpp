#include "launch/plan_command.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <ostream>

#include "common/errors.h"
#include "common/units.h"
#include "launch/dtype.h"
#include "launch/plan_report.h"
#include "launch/terminal.h"
#include "launch/what_would_fit.h"
#include "partition/partitioner.h"
#include "runtime/cost.h"
#include "runtime/device_survey.h"
#include "runtime/model_folder.h"
#include "runtime/plan_json.h"

namespace layerpipe::launch {
namespace {

// Imagined devices are GPUs.
runtime::Survey devices_for(const PlanOptions& options) {
  if (options.devices.empty()) return runtime::survey_machine();
  return {.devices = options.devices, .kind = at::Device(at::kCUDA, 0), .remark = {}};
}

}  // namespace

void run_plan(const PlanOptions& options, std::ostream& out) {
  const runtime::ModelFolder model(
      options.model, options.random_weights ? runtime::WeightOrigin::kRandom : runtime::WeightOrigin::kFiles);
  const runtime::Survey survey = devices_for(options);
  if (!survey.remark.empty()) say(fmt::format("the plan is for the CPU: {}\n", survey.remark));
  PlanInput input{
      .cost_of = [&](const runtime::CostWorkload& workload) { return runtime::model_cost(model, workload); },
      .workload = {.picture = {options.work.resolution, options.work.resolution},
                   .layers = options.work.layers,
                   .branches = options.no_cfg ? 1 : 2,
                   .device = survey.kind,
                   .dtype = dtype_of(options.run_config.dtype, survey.kind),
                   .threads = at::get_num_threads()},
      .devices = survey.devices,
      .work = {.requests = options.num_images,
               .steps = options.work.steps,
               .branches = options.no_cfg ? 1 : 2},
      .config = options.run_config.partition};
  const partition::Plan plan = input.plan();
  out << (options.format == PlanFormat::kJson
              ? runtime::plan_json(plan)
              : plan_table(plan, {.model = options.model.string(),
                                  .work = work_text({.layers = options.work.layers,
                                                     .resolution = options.work.resolution,
                                                     .branches = input.work.branches,
                                                     .pictures = options.num_images,
                                                     .dtype = word_of(input.workload.dtype)}),
                                  .notes = {}}));
  if (plan.fits) return;
  out.flush();  // before the message on stderr
  throw common::DoesNotFitError("the model does not fit: " + shortage(plan), what_would_fit(input));
}

}  // namespace layerpipe::launch
