#include "runtime/plan/stage_work.h"

#include <algorithm>

#include "common/errors.h"

namespace layerpipe::runtime {

const partition::DeviceInfo& device_of(const partition::StagePlan& stage,
                                       std::span<const partition::DeviceInfo> devices) {
  const auto found = std::ranges::find(devices, stage.rank, &partition::DeviceInfo::rank);
  common::ensure(found != devices.end(), "a plan has a rank without a device");
  return *found;
}

double operations(const partition::ChainCost& chain, const common::Range& range) {
  if (range.size() == 0) return 0;
  double sum = 0;
  for (std::int64_t unit = range.begin; unit < range.end; ++unit)
    sum += chain.units[static_cast<std::size_t>(unit)].operations;
  if (range.begin == 0) sum += chain.first.operations;
  if (range.end == static_cast<std::int64_t>(chain.units.size())) sum += chain.last.operations;
  return sum;
}

}  // namespace layerpipe::runtime
