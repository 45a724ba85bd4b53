#include "session/fit_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/errors.h"
#include "common/units.h"
#include "model/transformer/fp8_layers.h"
#include "partition/reserve.h"

namespace layerpipe::session {
namespace {

constexpr std::int64_t kSmallerResolution = 640;
constexpr int kMostMoreDevices = 64;

bool fits(const PlanInput& input) {
  try {
    return input.split(input.cost_of(input.workload)).fits;
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

// As an option takes it, and not less.
std::string size_for_option(std::uint64_t bytes) {
  std::string text = common::format_bytes_up(bytes);
  std::erase(text, ' ');
  return text;
}

Change larger_limit(const PlanInput& input) {
  if (!input.config.memory_limit_bytes) return std::nullopt;
  const auto limit =
      partition::limit_that_fits(input.cost_of(input.workload), input.devices, input.work, input.config);
  if (!limit) return std::nullopt;
  return "--memory-limit " + size_for_option(*limit);
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
  const common::Size smaller = input.size_at(kSmallerResolution);
  const common::Size present = input.workload.picture;
  if (smaller.width * smaller.height >= present.width * present.height) return std::nullopt;
  input.workload.picture = smaller;
  if (!fits(input)) return std::nullopt;
  return fmt::format("--resolution {}", kSmallerResolution);
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
  const auto blocks = std::ssize(input.cost_of(input.workload).transformer.units);
  if (!model::has_fp8_layers(blocks)) return std::nullopt;
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
    const std::string size = common::format_bytes_up(another.free_bytes);
    return more == 1 ? fmt::format("one more device with {} free", size)
                     : fmt::format("{} more devices with {} free each", more, size);
  }
  return std::nullopt;
}

// How much memory would do with nothing else changed; empty where none would, and for stages that are written
// down, of which the plan says what each lacks.
std::string enough_memory(const PlanInput& input) {
  if (const Change limit = larger_limit(input)) return *limit;
  if (input.config.strategy == partition::Strategy::kExplicit) return {};
  const auto bytes =
      partition::free_bytes_that_fit(input.cost_of(input.workload), input.devices, input.work, input.config);
  if (!bytes) return {};
  const bool is_limited = input.config.memory_limit_bytes.value_or(*bytes) < *bytes;
  return fmt::format("{} free{}{}", common::format_bytes_up(*bytes),
                     input.devices.size() == 1 ? "" : " on each device",
                     is_limited ? " and --memory-limit " + size_for_option(*bytes) : "");
}

}  // namespace

partition::Plan PlanInput::split(const partition::ModelCost& cost) const {
  return present ? partition::make_next_plan(*present, cost, devices, work, config)
                 : partition::make_plan(cost, devices, work, config);
}

std::string fit_advice(const PlanInput& input) {
  const std::string enough = enough_memory(input);
  std::string text;
  for (const auto& change : {free_choice, other_strategy, smaller_reserve, smaller_picture, fewer_layers,
                             half_precision, fp8_linears, more_devices}) {
    if (const Change found = change(input)) {
      text = *found;
      break;
    }
  }
  const bool is_explicit = input.config.strategy == partition::Strategy::kExplicit;
  if (text.empty() && enough.empty()) return is_explicit ? "" : "No memory would be enough.";
  if (text.empty()) return fmt::format("It would fit with {}.", enough);
  if (enough.empty()) return fmt::format("It would fit with {}.", text);
  return fmt::format("It would fit with {}, or as it is with {}.", text, enough);
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
