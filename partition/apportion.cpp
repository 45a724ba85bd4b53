#include "partition/apportion.h"

#include <algorithm>
#include <numeric>

#include "common/errors.h"

namespace layerpipe::partition {
namespace {

// Weights are bytes of any size: the product of a weight and a number of units needs more than 64 bits.
__extension__ using Wide = unsigned __int128;

}  // namespace

std::vector<std::int64_t> apportion(std::int64_t units, std::span<const Claim> claims) {
  const bool all_zero =
      std::all_of(claims.begin(), claims.end(), [](const Claim& c) { return c.weight == 0; });
  const auto weight_of = [&](std::size_t i) { return all_zero ? Wide{1} : Wide{claims[i].weight}; };
  Wide total = 0;
  for (std::size_t i = 0; i < claims.size(); ++i) total += weight_of(i);

  std::vector<std::int64_t> parts(claims.size());
  std::vector<Wide> remainders(claims.size());
  std::int64_t left = units;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const Wide exact = weight_of(i) * static_cast<Wide>(units);  // times `total`
    parts[i] = static_cast<std::int64_t>(exact / total);
    remainders[i] = exact % total;
    left -= parts[i];
  }
  std::vector<std::size_t> by_remainder(claims.size());
  std::iota(by_remainder.begin(), by_remainder.end(), std::size_t{0});
  std::sort(by_remainder.begin(), by_remainder.end(), [&](std::size_t a, std::size_t b) {
    return remainders[a] != remainders[b] ? remainders[a] > remainders[b] : claims[a].order < claims[b].order;
  });
  for (std::int64_t i = 0; i < left; ++i) ++parts[by_remainder[static_cast<std::size_t>(i)]];
  return parts;
}

std::vector<std::int64_t> apportion_at_least_one(std::int64_t units, std::span<const Claim> claims) {
  common::ensure(units >= static_cast<std::int64_t>(claims.size()), "fewer units than claims on one each");
  // Who would get nothing gets one; the others share what is then left, until nobody is empty.
  std::vector<std::int64_t> parts(claims.size(), 1);
  std::vector<std::size_t> sharing(claims.size());
  std::iota(sharing.begin(), sharing.end(), std::size_t{0});
  while (!sharing.empty()) {
    std::vector<Claim> of_sharing;
    for (const std::size_t i : sharing) of_sharing.push_back(claims[i]);
    const auto settled = static_cast<std::int64_t>(claims.size() - sharing.size());
    const std::vector<std::int64_t> shares = apportion(units - settled, of_sharing);
    std::vector<std::size_t> still_sharing;
    for (std::size_t i = 0; i < sharing.size(); ++i) {
      if (shares[i] > 0) still_sharing.push_back(sharing[i]);
    }
    if (still_sharing.size() == sharing.size()) {
      for (std::size_t i = 0; i < sharing.size(); ++i) parts[sharing[i]] = shares[i];
      break;
    }
    sharing = std::move(still_sharing);
  }
  return parts;
}

}  // namespace layerpipe::partition
