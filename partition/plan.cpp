#include "partition/plan.h"

#include <algorithm>

namespace layerpipe::partition {

std::uint64_t PhaseBytes::most() const {
  return std::max({encode, denoise, decode});
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
  }
  return "";
}

bool same_layout(const Plan& a, const Plan& b) {
  const auto same_part = [](const StagePlan& one, const StagePlan& other) {
    return one.group == other.group && one.stage == other.stage && one.rank == other.rank &&
           one.blocks == other.blocks && one.text_layers == other.text_layers &&
           one.vae_percent == other.vae_percent;
  };
  return a.residency == b.residency && a.in_flight == b.in_flight &&
         std::equal(a.stages.begin(), a.stages.end(), b.stages.begin(), b.stages.end(), same_part);
}

}  // namespace layerpipe::partition
