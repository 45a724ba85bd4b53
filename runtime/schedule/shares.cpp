#include "runtime/schedule/shares.h"

#include <cmath>
#include <numeric>

#include "common/errors.h"

namespace layerpipe::runtime {

std::vector<common::Range> deal(std::int64_t count, std::span<const double> shares) {
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  common::ensure(total > 0, "work is dealt out to nobody");
  std::vector<common::Range> ranges;
  double sum = 0;
  std::int64_t begin = 0;
  std::size_t last = 0;  // the last with a share: takes what rounding leaves
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i] > 0) last = i;
  }
  for (std::size_t i = 0; i < shares.size(); ++i) {
    sum += shares[i];
    const std::int64_t end =
        i >= last ? count : std::llround(static_cast<double>(count) * std::min(sum / total, 1.0));
    ranges.push_back({begin, end});
    begin = end;
  }
  return ranges;
}

std::vector<common::Range> deal_strips(std::int64_t count, const partition::Plan& plan) {
  std::vector<double> shares;
  for (const partition::StagePlan& stage : plan.stages) shares.push_back(stage.vae_percent);
  return deal(count, shares);
}

}  // namespace layerpipe::runtime
