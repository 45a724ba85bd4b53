#include <algorithm>

#include "partition/strategies.h"

namespace layerpipe::partition {

PerComponent<std::optional<Residency>> for_all(std::optional<Residency> residency) {
  return {residency, residency, residency == Residency::kStreamed ? Residency::kPhased : residency};
}

std::vector<PerComponent<Residency>> residencies_to_try(const PartitionConfig& config) {
  using enum Residency;
  // What comes and goes costs a reading of its weights per group of requests: the smallest go first. What
  // streams costs one per pass.
  constexpr PerComponent<Residency> kOrder[] = {
      {kResident, kResident, kResident}, {kResident, kPhased, kResident}, {kResident, kPhased, kPhased},
      {kPhased, kPhased, kPhased},       {kStreamed, kPhased, kPhased},   {kStreamed, kStreamed, kPhased},
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
