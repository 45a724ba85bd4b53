#include "session/fit_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/errors.h"
#include "common/units.h"
#include "partition/reserve.h"
#include "runtime/plan/plan_times.h"

namespace layerpipe::session {
namespace {

constexpr std::int64_t kSmallerSide = 640;
constexpr int kMostMoreDevices = 64;

bool fits(const PlanInput& input) {
  try {
    return input.plan().fits;
  } catch (const common::InputError&) {  // more devices than blocks
    return false;
  }
}

using Change = std::optional<std::string>;

Change free_choice(PlanInput input) {
  const auto& residency = input.config.residency;
  if (!residency.transformer && !residency.text_encoder && !residency.vae) return std::nullopt;
  input.config.residency = {};
  if (!fits(input)) return std::nullopt;
  return "--residency auto";
}

Change other_strategy(PlanInput input) {
  if (input.config.strategy != partition::Strategy::kExplicit) return std::nullopt;
  input.config.strategy = partition::Strategy::kBalanced;
  input.config.stages.clear();
  if (!fits(input)) return std::nullopt;
  return "--strategy balanced";
}

Change no_limit(PlanInput input) {
  if (!input.config.memory_limit_bytes) return std::nullopt;
  input.config.memory_limit_bytes.reset();
  if (!fits(input)) return std::nullopt;
  return "no --memory-limit";
}

// Of small memory, such as a control group's, the reserve takes so much that half of it, or none, may do.
Change smaller_reserve(PlanInput input) {
  constexpr std::uint64_t kUnit = 1 << 20;
  std::uint64_t& reserve = input.config.reserve_bytes;
  const auto is_small = [&](const partition::DeviceInfo& device) {
    const std::uint64_t usable =
        std::min(device.free_bytes, input.config.memory_limit_bytes.value_or(device.free_bytes));
    return partition::is_large_reserve(reserve, usable);
  };
  if (std::none_of(input.devices.begin(), input.devices.end(), is_small)) return std::nullopt;
  while (reserve > 0) {
    reserve = reserve / 2 / kUnit * kUnit;
    if (fits(input))
      return fmt::format("partition: {{reserve: {}MiB}} in the file of --partition", reserve / kUnit);
  }
  return std::nullopt;
}

Change smaller_picture(PlanInput input) {
  if (input.workload.picture.width <= kSmallerSide) return std::nullopt;
  input.workload.picture = {kSmallerSide, kSmallerSide};
  if (!fits(input)) return std::nullopt;
  return fmt::format("--resolution {}", kSmallerSide);
}

Change fewer_layers(PlanInput input) {
  while (--input.workload.layers >= 1) {
    if (fits(input)) return fmt::format("--layers {}", input.workload.layers);
  }
  return std::nullopt;
}

Change half_precision(PlanInput input) {
  if (input.workload.dtype == at::kBFloat16) return std::nullopt;
  input.workload.dtype = at::kBFloat16;
  if (!fits(input)) return std::nullopt;
  return "--dtype bf16";
}

Change fp8_linears(PlanInput input) {
  if (input.workload.linears == runtime::Linears::kFp8) return std::nullopt;
  input.workload.dtype = at::kBFloat16;
  input.workload.linears = runtime::Linears::kFp8;
  if (!fits(input)) return std::nullopt;
  return "--dtype fp8";
}

Change more_devices(PlanInput input) {
  if (input.workload.device.is_cpu()) return std::nullopt;  // they would share the machine's memory
  if (input.config.strategy == partition::Strategy::kExplicit)
    input.config.strategy = partition::Strategy::kBalanced;
  for (int more = 1; more <= kMostMoreDevices; ++more) {
    partition::DeviceInfo another = input.devices.back();
    for (const auto& device : input.devices) another.rank = std::max(another.rank, device.rank + 1);
    input.devices.push_back(another);
    if (!fits(input)) continue;
    const std::string size = common::format_bytes(another.free_bytes);
    return more == 1 ? fmt::format("one more device with {} free", size)
                     : fmt::format("{} more devices with {} free each", more, size);
  }
  return std::nullopt;
}

}  // namespace

partition::Plan PlanInput::plan() const {
  const partition::ModelCost cost = cost_of(workload);
  partition::Plan plan = present ? partition::make_next_plan(*present, cost, devices, work, config)
                                 : partition::make_plan(cost, devices, work, config);
  runtime::predict_times(plan, cost, devices, work);
  return plan;
}

std::string fit_advice(const PlanInput& input) {
  std::string text;
  for (const auto& change : {free_choice, other_strategy, no_limit, smaller_reserve, smaller_picture,
                             fewer_layers, half_precision, fp8_linears, more_devices}) {
    if (const Change found = change(input)) {
      text = "It would fit with " + *found;
      break;
    }
  }
  if (input.config.strategy == partition::Strategy::kExplicit) return text.empty() ? text : text + ".";
  const auto bytes =
      partition::free_bytes_that_fit(input.cost_of(input.workload), input.devices, input.work, input.config);
  if (!bytes) return text.empty() ? "No memory would be enough." : text + ".";
  const std::string enough = common::format_bytes(*bytes);
  const std::string where = input.devices.size() == 1 ? "" : " on each device";
  if (text.empty()) return fmt::format("It would fit with {} free{}.", enough, where);
  return fmt::format("{}, or as it is with {} free{}.", text, enough, where);
}

std::string shortage(const partition::Plan& plan) {
  const auto worst =
      std::max_element(plan.stages.begin(), plan.stages.end(),
                       [](const auto& a, const auto& b) { return a.missing_bytes < b.missing_bytes; });
  const auto count = std::count_if(plan.stages.begin(), plan.stages.end(),
                                   [](const auto& stage) { return stage.missing_bytes > 0; });
  std::string text = fmt::format("rank {} lacks {}", worst->rank, common::format_bytes(worst->missing_bytes));
  if (count > 1) text += fmt::format(", {} of {} ranks lack memory", count, plan.stages.size());
  if (!worst->memory_limit.empty()) text += "; " + worst->memory_limit;
  return text;
}

}  // namespace layerpipe::session
