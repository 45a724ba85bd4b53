#include "partition/plan.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "common/spread.h"

namespace layerpipe::partition {

std::uint64_t PhaseBytes::most() const {
  return std::max({encode, denoise, decode});
}

Topology Plan::topology() const {
  Topology::Shape shape;
  std::vector<int> ranks;
  for (const StagePlan& part : stages) {
    shape.groups = std::max(shape.groups, part.group + 1);
    shape.stages = std::max(shape.stages, part.stage + 1);
    ranks.push_back(part.rank);
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Topology::Place place{.group = stages[i].group, .stage = stages[i].stage};
    common::ensure(shape.place_at(static_cast<int>(i)) == place, "a plan's stages are not in order");
  }
  return {shape, std::move(ranks)};
}

bool Plan::streams() const {
  return std::any_of(stages.begin(), stages.end(), [](const StagePlan& stage) { return stage.streams(); });
}

std::int64_t stream_slots(std::int64_t passing, std::int64_t count) {
  constexpr std::int64_t kApart = 8;
  return count / kApart >= passing ? 1 : 2;
}

std::int64_t passing_units(std::int64_t count, std::int64_t kept) {
  const std::int64_t passing = count - kept;
  return passing > stream_slots(passing, count) ? passing : 0;
}

std::vector<std::int64_t> passing_of(const common::Range& units, std::int64_t streamed) {
  const std::vector<bool> passes = common::spread(streamed, units.size());
  std::vector<std::int64_t> passing;
  for (std::int64_t unit = units.begin; unit < units.end; ++unit) {
    if (passes[static_cast<std::size_t>(unit - units.begin)]) passing.push_back(unit);
  }
  return passing;
}

bool HostPlan::cache_fits() const {
  return !budget_bytes || cache_bytes <= *budget_bytes - std::min(*budget_bytes, predicted_bytes);
}

const char* to_string(Component component) {
  switch (component) {
    case Component::kTransformer:
      return "transformer";
    case Component::kTextEncoder:
      return "text_encoder";
    case Component::kVae:
      return "vae";
  }
  return "";
}

const char* to_string(Strategy strategy) {
  switch (strategy) {
    case Strategy::kBalanced:
      return "balanced";
    case Strategy::kFastest:
      return "fastest";
    case Strategy::kExplicit:
      return "explicit";
  }
  return "";
}

const char* to_string(Residency residency) {
  switch (residency) {
    case Residency::kResident:
      return "resident";
    case Residency::kPhased:
      return "phased";
    case Residency::kStreamed:
      return "streamed";
  }
  return "";
}

Held held_by(const Plan& plan) {
  return {plan.residency, plan.in_flight, plan.modulation_rows, plan.most_in_pass};
}

bool same_layout(const Plan& a, const Plan& b) {
  const auto same_part = [](const StagePlan& one, const StagePlan& other) {
    return one.group == other.group && one.stage == other.stage && one.rank == other.rank &&
           one.blocks == other.blocks && one.text_layers == other.text_layers &&
           one.vae_percent == other.vae_percent && one.streamed_blocks == other.streamed_blocks &&
           one.streamed_text_layers == other.streamed_text_layers;
  };
  return a.residency == b.residency &&
         std::equal(a.stages.begin(), a.stages.end(), b.stages.begin(), b.stages.end(), same_part);
}

}  // namespace layerpipe::partition
