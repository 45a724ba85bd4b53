#include "session/recording.h"

#include <torch/headeronly/version.h>

#include <algorithm>
#include <cctype>

#include "runtime/device/memory.h"
#include "runtime/plan/plan_json.h"
#include "session/dtype.h"

namespace layerpipe::session {
namespace {

using results::ByPhase;

// Something of every phase.
template <typename Value>
auto by_phase(const partition::PerPhase<runtime::PhaseMetrics>& phases, Value value) {
  ByPhase<decltype(value(phases.encode))> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = value(phases[partition::kPhases[i]]);
  return all;
}

ByPhase<double> seconds_of(const partition::PerPhase<runtime::PhaseMetrics>& phases) {
  return by_phase(phases, [](const runtime::PhaseMetrics& phase) { return phase.seconds; });
}

ByPhase<double> load_seconds_of(const partition::PerPhase<runtime::PhaseMetrics>& phases) {
  return by_phase(phases, [](const runtime::PhaseMetrics& phase) { return phase.load_seconds; });
}

ByPhase<std::uint64_t> peak_bytes_of(const partition::PerPhase<runtime::PhaseMetrics>& phases) {
  return by_phase(phases, [](const runtime::PhaseMetrics& phase) { return phase.peak_bytes; });
}

// "vae_encoder".
std::string key_of(partition::Network network) {
  std::string key = to_string(network);
  for (char& letter : key) {
    letter = letter == ' ' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return key;
}

results::RecordedRank rank_of(const partition::StagePlan& stage, const runtime::RankMetrics& metrics) {
  const auto& [encode, denoise, decode] = stage.predicted_peak_bytes;
  const runtime::StageMetrics& work = metrics.stage;
  return {.rank = stage.rank,
          .host = stage.host,
          .device = stage.device,
          .stage = stage.stage,
          .predicted_peak_bytes = {encode, denoise, decode},
          .peak_bytes = peak_bytes_of(metrics.phases),
          .seconds = seconds_of(metrics.phases),
          .load_seconds = load_seconds_of(metrics.phases),
          .denoise_seconds = work.seconds,
          .busy_seconds = work.busy_seconds,
          .wait_seconds = work.wait_seconds,
          .idle_seconds = std::max(0.0, work.seconds - work.busy_seconds - work.wait_seconds),
          .edge = {}};
}

}  // namespace

void record_setup(const Settings& settings, const Machinery& machinery, results::RunRecord& record) {
  const runtime::DeviceFacts& device = machinery.device;
  record.versions = {{"layerpipe", LAYERPIPE_VERSION}, {"torch", TORCH_VERSION}};
  if (device.driver != 0) record.versions.emplace_back("cuda_driver", runtime::version_text(device.driver));
  record.command = "decompose";
  record.options = settings.options;
  record.model_folder = settings.model.string();
  record.pipeline = model::to_string(machinery.engine->model_config().pipeline);
  record.fingerprint = machinery.fingerprint;
  record.device_id = device.device.str();
  record.device_name = device.name;
  if (device.capability != 0) record.compute_capability = runtime::version_text(device.capability, 10);
  record.dtype = word_of(machinery.dtype, machinery.linears);
}

void record_metrics(const Measured& measured, results::RunRecord& record) {
  const auto& first = measured.ranks.front().phases;
  record.run_id = measured.run_id;
  record.seconds = seconds_of(first);
  record.load_seconds = load_seconds_of(first);
  record.step_seconds = measured.step_seconds;
  record.peak_bytes = peak_bytes_of(first);
  results::set_plan(record, runtime::plan_json(measured.plan));
  record.ranks.clear();
  const std::vector<partition::StagePlan>& stages = measured.plan.stages;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const runtime::RankMetrics& metrics = measured.ranks[static_cast<std::size_t>(stages[i].rank)];
    record.ranks.push_back(rank_of(stages[i], metrics));
    if (stages.size() == 1) continue;
    record.ranks.back().edge = {.to_rank = stages[(i + 1) % stages.size()].rank,
                                .messages = metrics.to_next.messages,
                                .bytes = metrics.to_next.bytes,
                                .wait_seconds = metrics.to_next.wait_seconds};
  }
}

void record_memory(const runtime::Engine& engine, const at::Device& device, results::RunRecord& record) {
  record.weight_bytes.clear();
  for (const partition::Network network : partition::kNetworks)
    record.weight_bytes.emplace_back(key_of(network), engine.weight_bytes(network));
  record.host_peak_bytes = runtime::memory_use(at::kCPU).peak;
  if (!device.is_cpu()) return;
  // On the CPU each phase begins a new peak.
  for (const std::uint64_t peak : record.peak_bytes)
    record.host_peak_bytes = std::max(record.host_peak_bytes, peak);
}

}  // namespace layerpipe::session
