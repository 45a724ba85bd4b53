#include "partition/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "common/errors.h"

namespace layerpipe::partition {
namespace {

using ::testing::ElementsAre;
using Place = Topology::Place;
using Shape = Topology::Shape;

// What building or asking is refused with.
template <typename Act>
std::string refusal_of(const Act& act) {
  try {
    act();
  } catch (const common::InternalError& error) {
    return error.what();
  }
  return "no refusal";
}

// Rank i has the place n − 1 − i, so that neither stage nor index equals the rank.
Topology reversed(const Shape& shape) {
  std::vector<int> ranks(static_cast<std::size_t>(shape.size()));
  std::iota(ranks.rbegin(), ranks.rend(), 0);
  return {shape, ranks};
}

TEST(Topology, KnowsOneStageThatIsAlone) {
  const Topology alone({}, {0});
  EXPECT_EQ(alone.size(), 1);
  EXPECT_EQ(alone.first_rank(), 0);
  EXPECT_EQ(alone.place_of(0), Place{});
  EXPECT_EQ(alone.next(0), 0);
  EXPECT_EQ(alone.previous(0), 0);
  EXPECT_TRUE(alone.is_first_stage(0));
  EXPECT_TRUE(alone.is_last_stage(0));
}

TEST(Topology, FollowsTheOrderOfTheRanksAndNotTheirNumbers) {
  const Topology ring({.stages = 4}, {0, 2, 1, 3});
  EXPECT_EQ(ring.place_of(2), (Place{.stage = 1}));
  EXPECT_EQ(ring.rank_of({.stage = 2}), 1);
  EXPECT_EQ(ring.index_of(1), 2);
  EXPECT_EQ(ring.next(0), 2);
  EXPECT_EQ(ring.next(1), 3);
  EXPECT_EQ(ring.next(3), 0);
  EXPECT_EQ(ring.previous(0), 3);
  EXPECT_EQ(ring.previous(1), 2);
  EXPECT_TRUE(ring.is_last_stage(3));
  EXPECT_FALSE(ring.is_last_stage(1));
}

TEST(Topology, ClosesARingInEachGroup) {
  const Topology two({.groups = 2, .stages = 3}, {0, 1, 2, 5, 4, 3});
  EXPECT_THAT(two.ranks_of_group(0), ElementsAre(0, 1, 2));
  EXPECT_THAT(two.ranks_of_group(1), ElementsAre(5, 4, 3));
  EXPECT_EQ(two.place_of(4), (Place{.group = 1, .stage = 1}));
  EXPECT_EQ(two.next(2), 0);
  EXPECT_EQ(two.next(3), 5);
  EXPECT_EQ(two.previous(5), 3);
  EXPECT_TRUE(two.is_first_stage(5));
  EXPECT_TRUE(two.is_last_stage(3));
  EXPECT_EQ(two.first_rank(), 0);
}

TEST(Topology, KeepsNeighboursInTheirShard) {
  const Topology sharded({.groups = 1, .stages = 2, .shards = 2}, {0, 1, 2, 3});
  EXPECT_EQ(sharded.place_of(3), (Place{.stage = 1, .shard = 1}));
  EXPECT_EQ(sharded.next(1), 3);
  EXPECT_EQ(sharded.next(3), 1);
  EXPECT_EQ(sharded.previous(2), 0);
}

TEST(Topology, GivesEveryRankOnePlaceAndEveryPlaceOneRank) {
  for (int groups = 1; groups <= 3; ++groups) {
    for (int stages = 1; stages <= 4; ++stages) {
      for (int shards = 1; shards <= 3; ++shards) {
        const Shape shape{groups, stages, shards};
        const Topology topology = reversed(shape);
        std::set<int> ranks;
        for (int group = 0; group < groups; ++group) {
          const std::vector<int> of_group = topology.ranks_of_group(group);
          EXPECT_EQ(of_group.size(), static_cast<std::size_t>(stages * shards));
          for (int stage = 0; stage < stages; ++stage) {
            for (int shard = 0; shard < shards; ++shard) {
              const Place place{group, stage, shard};
              const int rank = topology.rank_of(place);
              EXPECT_TRUE(ranks.insert(rank).second);
              EXPECT_EQ(topology.place_of(rank), place);
              EXPECT_EQ(shape.place_at(shape.index_of(place)), place);
              EXPECT_EQ(topology.ranks()[static_cast<std::size_t>(topology.index_of(rank))], rank);
              EXPECT_THAT(of_group, ::testing::Contains(rank));
            }
          }
        }
        EXPECT_EQ(static_cast<int>(ranks.size()), topology.size());
      }
    }
  }
}

TEST(Topology, ReturnsToARankAfterAsManyStagesAsThereAre) {
  const Topology topology = reversed({.groups = 2, .stages = 3, .shards = 2});
  for (const int rank : topology.ranks()) {
    int at = rank;
    std::set<int> seen;
    for (int i = 0; i < topology.stages(); ++i) {
      EXPECT_TRUE(seen.insert(at).second);
      EXPECT_EQ(topology.previous(topology.next(at)), at);
      at = topology.next(at);
      EXPECT_EQ(topology.place_of(at).group, topology.place_of(rank).group);
      EXPECT_EQ(topology.place_of(at).shard, topology.place_of(rank).shard);
    }
    EXPECT_EQ(at, rank);
  }
}

TEST(Topology, RefusesRanksThatAreNotEachThereOnce) {
  const auto making = [](const Shape& shape, const std::vector<int>& ranks) {
    return refusal_of([&] { Topology(shape, ranks); });
  };
  EXPECT_EQ(making({.stages = 0}, {}), "a topology has no place");
  EXPECT_EQ(making({.groups = -1, .stages = -1}, {0}), "a topology has no place");
  EXPECT_EQ(making({.stages = 2}, {0}), "a topology needs one rank for each place");
  EXPECT_EQ(making({.stages = 2}, {0, 1, 2}), "a topology needs one rank for each place");
  EXPECT_EQ(making({.stages = 2}, {0, 2}), "a topology has ranks beyond the number of its places");
  EXPECT_EQ(making({.stages = 2}, {0, -1}), "a topology has ranks beyond the number of its places");
  EXPECT_EQ(making({.stages = 2}, {1, 1}), "a topology gives one rank two places");
}

TEST(Topology, RefusesQuestionsAboutWhatItDoesNotHave) {
  const Topology topology({.groups = 2, .stages = 2}, {0, 1, 2, 3});
  const std::string no_place = "a topology is asked for a place that it does not have";
  EXPECT_EQ(refusal_of([&] { topology.rank_of({.group = 2}); }), no_place);
  EXPECT_EQ(refusal_of([&] { topology.rank_of({.stage = 2}); }), no_place);
  EXPECT_EQ(refusal_of([&] { topology.rank_of({.shard = 1}); }), no_place);
  EXPECT_EQ(refusal_of([&] { topology.rank_of({.stage = -1}); }), no_place);
  const std::string no_rank = "a topology is asked for a rank that it does not have";
  EXPECT_EQ(refusal_of([&] { topology.place_of(4); }), no_rank);
  EXPECT_EQ(refusal_of([&] { topology.next(-1); }), no_rank);
  EXPECT_EQ(refusal_of([&] { topology.ranks_of_group(2); }),
            "a topology is asked for a group that it does not have");
}

}  // namespace
}  // namespace layerpipe::partition
