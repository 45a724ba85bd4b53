// What every rank does with its networks in one window, as one list: the engine runs it, and the predictor
// sums it. Pure. Standard library only.
#pragma once

#include <vector>

#include "partition/network.h"

namespace layerpipe::partition {

// What a rank does with a network in a phase. To prepare the transformer is to make the modulation of the
// window's timesteps, as far as it is not there from windows before; its weights pass through the device.
enum class StepAction { kLoad, kPrepare, kWork, kRelease };
const char* to_string(StepAction action);  // "release"

struct PhaseStep {
  Phase phase;
  StepAction action;
  Network network;
  bool operator==(const PhaseStep&) const = default;
};

// What every rank does in one window, in order: which networks are loaded, worked with and released when. A
// rank without a part of a network leaves that network's steps out. Networks of resident components are
// loaded in the first phase, before all work, and are never released: in a later window they are there
// already, and loading them does nothing. Phased and streamed ones are loaded right before their work and
// released right after it. The transformer is prepared right before its work, when it is there.
std::vector<PhaseStep> phase_steps(const PerComponent<Residency>& residency);

}  // namespace layerpipe::partition
