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

}  // namespace layerpipe::partition
