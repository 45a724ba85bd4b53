#include <algorithm>

#include "partition/strategies.h"

namespace layerpipe::partition {

std::vector<PerComponent<Residency>> residencies_to_try(const PartitionConfig& config) {
  using enum Residency;
  // What comes and goes costs a reading of its weights per group of requests: the smallest go first.
  constexpr PerComponent<Residency> kOrder[] = {
      {kResident, kResident, kResident},
      {kResident, kPhased, kResident},
      {kResident, kPhased, kPhased},
      {kPhased, kPhased, kPhased},
  };
  std::vector<PerComponent<Residency>> tries;
  for (PerComponent<Residency> residency : kOrder) {
    for (const Component component : kComponents) {
      residency[component] = config.residency[component].value_or(residency[component]);
    }
    if (std::find(tries.begin(), tries.end(), residency) == tries.end()) tries.push_back(residency);
  }
  return tries;
}

}  // namespace layerpipe::partition
