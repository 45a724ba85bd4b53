#include "partition/topology.h"

#include <string>
#include <utility>

#include "common/errors.h"

namespace layerpipe::partition {

Topology::Topology(const Shape& shape, std::vector<int> ranks) : shape_(shape), ranks_(std::move(ranks)) {
  common::ensure(shape_.groups >= 1 && shape_.stages >= 1 && shape_.shards >= 1, "a topology has no place");
  const int count = size();
  common::ensure(ranks_.size() == static_cast<std::size_t>(count),
                 "a topology needs one rank for each place");
  constexpr int kNowhere = -1;
  indices_.assign(ranks_.size(), kNowhere);
  for (int index = 0; index < count; ++index) {
    const int rank = ranks_[static_cast<std::size_t>(index)];
    common::ensure(rank >= 0 && rank < count, "a topology has ranks beyond the number of its places");
    int& known = indices_[static_cast<std::size_t>(rank)];
    common::ensure(known == kNowhere, "a topology gives one rank two places");
    known = index;
  }
}

std::vector<int> Topology::ranks_of_group(int group) const {
  common::ensure(group >= 0 && group < groups(), "a topology is asked for a group that it does not have");
  const auto count = static_cast<std::ptrdiff_t>(stages()) * shards();
  const auto begin = ranks_.begin() + group * count;
  return {begin, begin + count};
}

int Topology::rank_of(const Place& place) const {
  const bool is_there = place.group >= 0 && place.group < groups() && place.stage >= 0 &&
                        place.stage < stages() && place.shard >= 0 && place.shard < shards();
  common::ensure(is_there, "a topology is asked for a place that it does not have");
  return ranks_[static_cast<std::size_t>(shape_.index_of(place))];
}

int Topology::index_of(int rank) const {
  common::ensure(rank >= 0 && rank < size(), "a topology is asked for a rank that it does not have");
  return indices_[static_cast<std::size_t>(rank)];
}

int Topology::at_distance(int rank, int stages) const {
  Place place = place_of(rank);
  place.stage = (place.stage + stages + this->stages()) % this->stages();
  return rank_of(place);
}

}  // namespace layerpipe::partition
