// Dealing out whole things in proportion.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace layerpipe::partition {

struct Claim {
  std::uint64_t weight = 0;
  int order = 0;  // among equals the lower one comes first
};

// Deals `units` out in proportion to the weights by largest remainder: nobody is further than one unit from
// the exact proportion. Equal parts when all weights are 0. Exact for every weight.
std::vector<std::int64_t> apportion(std::int64_t units, std::span<const Claim> claims);

// The same with at least one unit for each, which takes those whose part is smaller out of the proportion.
// Needs as many units as claims.
std::vector<std::int64_t> apportion_at_least_one(std::int64_t units, std::span<const Claim> claims);

// `units` dealt out anew to each `size` claims that follow one another, with one of the two above: what every
// group holds as a whole.
template <typename Deal>
std::vector<std::int64_t> apportion_by_group(std::int64_t units, std::span<const Claim> claims,
                                             std::int64_t size, const Deal& deal) {
  std::vector<std::int64_t> parts;
  for (; !claims.empty(); claims = claims.subspan(static_cast<std::size_t>(size))) {
    const std::vector<std::int64_t> group = deal(units, claims.first(static_cast<std::size_t>(size)));
    parts.insert(parts.end(), group.begin(), group.end());
  }
  return parts;
}

}  // namespace layerpipe::partition
