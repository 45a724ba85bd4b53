#include "runtime/plan/plan_json.h"

#include <nlohmann/json.hpp>
#include <optional>

namespace layerpipe::runtime {
namespace {

using partition::Component;
using partition::Residency;
using partition::StagePlan;
using Json = nlohmann::ordered_json;

template <typename T>
Json json_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// One word when all components are alike, as in the YAML.
Json residency_json(const partition::PerComponent<Residency>& residency) {
  if (residency.transformer == residency.text_encoder && residency.vae == residency.transformer)
    return to_string(residency.transformer);
  Json json;
  for (const Component component : partition::kComponents)
    json[to_string(component)] = to_string(residency[component]);
  return json;
}

}  // namespace

std::string plan_json(const partition::Plan& plan) {
  Json stages = Json::array();
  for (const StagePlan& stage : plan.stages) {
    const auto range = [](const common::Range& r) { return Json::array({r.begin, r.end}); };
    stages.push_back({{"group", stage.group},
                      {"stage", stage.stage},
                      {"rank", stage.rank},
                      {"host", stage.host},
                      {"blocks", range(stage.blocks)},
                      {"text_layers", range(stage.text_layers)},
                      {"vae_percent", stage.vae_percent},
                      {"residency", residency_json(plan.residency)},
                      {"predicted_peak_bytes",
                       {{"encode", stage.predicted_peak_bytes.encode},
                        {"denoise", stage.predicted_peak_bytes.denoise},
                        {"decode", stage.predicted_peak_bytes.decode}}},
                      {"missing_bytes", stage.missing_bytes},
                      {"bytes_per_step", stage.bytes_per_step},
                      {"bus_bytes_per_second_needed", json_or_null(stage.bus_bytes_per_second_needed)},
                      {"slowdown", json_or_null(stage.slowdown)}});
  }
  Json hosts = Json::object();
  Json caches = Json::object();
  for (const partition::HostPlan& host : plan.hosts) {
    hosts[host.host] = host.predicted_bytes;
    caches[host.host] = host.cache_bytes;
  }
  return Json{{"fits", plan.fits},
              {"strategy", to_string(plan.strategy)},
              {"stages", stages},
              {"host_bytes", hosts},
              {"page_cache_bytes", caches},
              {"predicted_step_seconds", json_or_null(plan.predicted_step_seconds)},
              {"predicted_seconds", json_or_null(plan.predicted_seconds)}}
             .dump(2, ' ', false, Json::error_handler_t::replace) +  // a host's name may be anything
         "\n";
}

}  // namespace layerpipe::runtime
