#include "partition/remarks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "common/units.h"
#include "partition/apportion.h"
#include "partition/reserve.h"

namespace layerpipe::partition {
namespace {

constexpr std::size_t kMostNamed = 4;  // ranks in one remark; a thousand say no more than four

// "a", "a and b", "a, b and 7 more".
std::string join(const std::vector<std::string>& items) {
  std::string text;
  const std::size_t named = items.size() <= kMostNamed + 1 ? items.size() : kMostNamed;
  for (std::size_t i = 0; i < named; ++i) {
    const bool is_last = i + 1 == named && named == items.size();
    text += i == 0 ? "" : is_last ? " and " : ", ";
    text += items[i];
  }
  if (named < items.size()) text += " and " + std::to_string(items.size() - named) + " more";
  return text;
}

std::string name_rank(const StagePlan& stage) {
  std::string text = "rank " + std::to_string(stage.rank);
  if (!stage.host.empty()) text += " (" + stage.host + ")";
  return text;
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string count_of(std::int64_t count, const std::string& unit) {
  return std::to_string(count) + " " + unit + (count == 1 ? "" : "s");
}

// ", since the reserve keeps 512.00 MiB free", where that is much of what there is.
std::string reserve_note(const StagePlan& stage, const PartitionConfig& config) {
  const std::uint64_t usable =
      std::min(stage.free_bytes, config.memory_limit_bytes.value_or(stage.free_bytes));
  if (!is_large_reserve(config.reserve_bytes, usable)) return {};
  return ", since the reserve is to keep " + common::format_bytes(config.reserve_bytes) + " free";
}

// "Memory decides over proportion: rank 1 has 8 blocks in place of 10 and rank 0 12 in place of 10."
void remark_on_moves(const Plan& plan, const std::vector<std::int64_t>& proportional,
                     common::Range StagePlan::*range_of, const std::string& unit,
                     std::vector<std::string>& remarks) {
  std::vector<std::string> moved;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const std::int64_t has = (plan.stages[i].*range_of).size();
    if (has == proportional[i]) continue;
    moved.push_back("rank " + std::to_string(plan.stages[i].rank) + " has " +
                    (moved.empty() ? count_of(has, unit) : std::to_string(has)) + " in place of " +
                    std::to_string(proportional[i]));
  }
  if (!moved.empty()) remarks.push_back("Memory decides over proportion: " + join(moved) + ".");
}

// "Weights stream: on rank 0 37 of 60 blocks and on rank 1 12 of 60 pass through the device, the others
// stay."
void remark_on_streams(const Plan& plan, Residency residency, common::Range StagePlan::*range_of,
                       std::int64_t StagePlan::*streamed_of, const std::string& unit,
                       std::vector<std::string>& remarks) {
  if (residency != Residency::kStreamed) return;
  std::vector<std::string> streams;
  bool all_pass = true;
  for (const StagePlan& stage : plan.stages) {
    const std::int64_t units = (stage.*range_of).size();
    all_pass = all_pass && stage.*streamed_of == units;
    if (stage.*streamed_of == 0) continue;
    streams.push_back("on rank " + std::to_string(stage.rank) + " " + std::to_string(stage.*streamed_of) +
                      " of " + (streams.empty() ? count_of(units, unit) : std::to_string(units)));
  }
  if (!streams.empty())
    remarks.push_back("Weights stream: " + join(streams) + " pass through the device" +
                      (all_pass ? "." : ", the others stay."));
}

}  // namespace

std::vector<std::string> remarks_on_split(const Plan& plan, const Split& proportional,
                                          const Problem& problem) {
  std::vector<std::string> remarks;
  const bool is_balanced = plan.strategy == Strategy::kBalanced;
  std::vector<Claim> claims;
  for (const Place& place : problem.places) claims.push_back({place.usable_bytes, place.device.rank});
  const std::vector<std::int64_t> exact =
      apportion_by_group(problem.blocks(), claims, problem.stages(), apportion);
  std::vector<std::string> raised;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    if (is_balanced && exact[i] == 0) raised.push_back(std::to_string(plan.stages[i].rank));
  }
  if (!raised.empty()) {
    remarks.push_back((raised.size() == 1 ? "Rank " : "Ranks ") + join(raised) +
                      (raised.size() == 1 ? " has a block though its" : " have a block each though their") +
                      " memory is too small a part for one: every stage needs one.");
  }
  if (is_balanced) remark_on_moves(plan, proportional.blocks, &StagePlan::blocks, "block", remarks);
  remark_on_moves(plan, proportional.text_layers, &StagePlan::text_layers, "text layer", remarks);
  std::vector<std::string> without_vae;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    if (proportional.vae_percent[i] > 0 && plan.stages[i].vae_percent == 0)
      without_vae.push_back(std::to_string(plan.stages[i].rank));
  }
  if (!without_vae.empty()) {
    remarks.push_back((without_vae.size() == 1 ? "Rank " : "Ranks ") + join(without_vae) +
                      (without_vae.size() == 1 ? " takes" : " take") +
                      " no part of the VAE: its weights do not fit beside the rest.");
  }
  return remarks;
}

std::vector<std::string> remarks_on_choices(const Plan& plan, const PartitionConfig& config,
                                            std::int64_t saturating) {
  std::vector<std::string> remarks;
  if (!plan.fits) return remarks;
  constexpr const char* kWords[] = {"transformer", "text encoder", "VAE"};
  std::vector<std::string> phased;
  for (const Component component : kComponents) {
    if (!config.residency[component] && plan.residency[component] == Residency::kPhased)
      phased.push_back(std::string("the ") + kWords[static_cast<std::size_t>(component)]);
  }
  if (!phased.empty()) {
    remarks.push_back(capitalised(join(phased)) + (phased.size() == 1 ? " comes and goes" : " come and go") +
                      " with " + (phased.size() == 1 ? "its" : "their") +
                      " phase: all weights at once do not fit.");
  }
  remark_on_streams(plan, plan.residency.transformer, &StagePlan::blocks, &StagePlan::streamed_blocks,
                    "block", remarks);
  remark_on_streams(plan, plan.residency.text_encoder, &StagePlan::text_layers,
                    &StagePlan::streamed_text_layers, "text layer", remarks);
  if (!config.in_flight && plan.in_flight < saturating) {
    remarks.push_back(count_of(plan.in_flight, "request") + (plan.in_flight == 1 ? " is" : " are") +
                      " in the pipeline at a time: memory does not suffice for the " +
                      std::to_string(saturating) + " that would keep every stage busy.");
  }
  return remarks;
}

std::vector<std::string> remarks_on_modulation(const Plan& plan, const Workload& workload) {
  if (!plan.fits || plan.modulation_rows >= workload.timesteps) return {};
  return {"The modulation of " + std::to_string(plan.modulation_rows) + " of " +
          count_of(workload.timesteps, "timestep") +
          " fits at a time: its weights are read again before windows that lack some."};
}

std::vector<std::string> remarks_on_limits(const Plan& plan) {
  std::map<std::string, std::vector<std::string>> ranks;
  for (const StagePlan& stage : plan.stages) {
    if (!stage.memory_limit.empty()) ranks[stage.memory_limit].push_back(std::to_string(stage.rank));
  }
  std::vector<std::string> remarks;
  for (const auto& [limit, limited] : ranks)
    remarks.push_back((limited.size() == 1 ? "Rank " : "Ranks ") + join(limited) + ": " + limit + ".");
  return remarks;
}

std::vector<std::string> remarks_on_missing(const Plan& plan, const PartitionConfig& config) {
  std::vector<std::string> remarks;
  std::size_t more = 0;
  for (const StagePlan& stage : plan.stages) {
    if (stage.missing_bytes == 0) continue;
    if (remarks.size() == kMostNamed) {
      ++more;
      continue;
    }
    const PhaseBytes& peaks = stage.predicted_peak_bytes;
    const char* phase = peaks.denoise == peaks.most()  ? "denoise"
                        : peaks.encode == peaks.most() ? "encode"
                                                       : "decode";
    remarks.push_back(capitalised(name_rank(stage)) + " needs " + common::format_bytes(peaks.most()) +
                      " to " + phase + " and may use " + common::format_bytes(stage.budget_bytes) + " of " +
                      common::format_bytes(stage.free_bytes) + " free" + reserve_note(stage, config) + ": " +
                      common::format_bytes(stage.missing_bytes) + " are missing.");
  }
  if (more > 0) {
    std::uint64_t all = 0;
    for (const StagePlan& stage : plan.stages) {
      if (__builtin_add_overflow(all, stage.missing_bytes, &all))
        all = std::numeric_limits<std::uint64_t>::max();
    }
    remarks.push_back(std::to_string(more) + (more == 1 ? " more rank lacks" : " more ranks lack") +
                      " memory; " + common::format_bytes(all) + " are missing in all.");
  }
  return remarks;
}

}  // namespace layerpipe::partition
