#include "partition/window_size.h"

#include <algorithm>

namespace layerpipe::partition {
namespace {

constexpr std::int64_t kRoundsOverSeveralStages = 4;
constexpr std::int64_t kLeastWithComingWeights = 8;

}  // namespace

std::int64_t window_size(const PerComponent<Residency>& residency, std::int64_t in_flight,
                         std::int64_t stages) {
  using enum Residency;
  std::int64_t size = std::max<std::int64_t>(in_flight, 1);
  if (stages > 1) size *= kRoundsOverSeveralStages;
  if (residency != PerComponent<Residency>{kResident, kResident, kResident})
    size = std::max(size, kLeastWithComingWeights);
  return size;
}

}  // namespace layerpipe::partition
