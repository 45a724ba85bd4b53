#include "runtime/plan/windows.h"

#include <algorithm>

namespace layerpipe::runtime {
namespace {

constexpr std::int64_t kRoundsOverSeveralStages = 4;
constexpr std::int64_t kLeastWithComingWeights = 8;

}  // namespace

std::vector<common::Range> windows_of(const partition::Plan& plan, std::int64_t requests) {
  std::int64_t size = std::max<std::int64_t>(plan.in_flight, 1);
  if (plan.stages.size() > 1) size *= kRoundsOverSeveralStages;
  constexpr auto kResident = partition::Residency::kResident;
  if (plan.residency != partition::PerComponent<partition::Residency>{kResident, kResident, kResident})
    size = std::max(size, kLeastWithComingWeights);
  std::vector<common::Range> windows;
  for (std::int64_t first = 0; first < requests; first += size)
    windows.push_back({first, std::min(first + size, requests)});
  return windows;
}

}  // namespace layerpipe::runtime
