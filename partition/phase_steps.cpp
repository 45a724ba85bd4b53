#include "partition/phase_steps.h"

namespace layerpipe::partition {

const char* to_string(StepAction action) {
  switch (action) {
    case StepAction::kLoad:
      return "load";
    case StepAction::kPrepare:
      return "prepare";
    case StepAction::kWork:
      return "work";
    case StepAction::kRelease:
      return "release";
  }
  return "?";
}

std::vector<PhaseStep> phase_steps(const PerComponent<Residency>& residency) {
  const auto is_resident = [&](Network network) {
    return residency[component_of(network)] == Residency::kResident;
  };
  std::vector<PhaseStep> steps;
  for (const Network network : kNetworks) {
    if (is_resident(network)) steps.push_back({kPhases[0], StepAction::kLoad, network});
  }
  for (const Network network : kNetworks) {
    const Phase phase = phase_of(network);
    if (!is_resident(network)) steps.push_back({phase, StepAction::kLoad, network});
    if (network == Network::kTransformer) steps.push_back({phase, StepAction::kPrepare, network});
    steps.push_back({phase, StepAction::kWork, network});
    if (!is_resident(network)) steps.push_back({phase, StepAction::kRelease, network});
  }
  return steps;
}

}  // namespace layerpipe::partition
