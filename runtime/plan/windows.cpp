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
  // As even as they go: a last window of one request would load weights for that one alone.
  const std::int64_t count = (requests + size - 1) / size;
  std::vector<common::Range> windows;
  for (std::int64_t i = 0; i < count; ++i)
    windows.push_back({requests * i / count, requests * (i + 1) / count});
  return windows;
}

}  // namespace layerpipe::runtime
