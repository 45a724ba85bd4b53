// Which rank has which place: groups of stages of shards. A value type with pure functions, the same on every
// rank. `stage` is never assumed to equal `rank`. Standard library only.
#pragma once

#include <vector>

namespace layerpipe::partition {

// Groups split the guidance branches: each holds the whole transformer. Its stages are a pipeline: each holds
// a part of the blocks. Shards share the work of one stage.
class Topology {
 public:
  struct Place {
    int group = 0;
    int stage = 0;
    int shard = 0;
    bool operator==(const Place&) const = default;
  };

  // How many there are: stages in each group, shards of each stage. Places are counted shard by shard, stage
  // by stage, group by group.
  struct Shape {
    int groups = 1;
    int stages = 1;
    int shards = 1;

    int size() const { return groups * stages * shards; }
    int index_of(const Place& place) const {
      return (place.group * stages + place.stage) * shards + place.shard;
    }
    Place place_at(int index) const {
      return {index / (stages * shards), index / shards % stages, index % shards};
    }
    bool operator==(const Shape&) const = default;
  };

  // `ranks` in the order of their places. Throws InternalError unless the shape has a place and these are the
  // ranks 0 … n − 1, each once, one for each place.
  Topology(const Shape& shape, std::vector<int> ranks);

  const Shape& shape() const { return shape_; }
  int groups() const { return shape_.groups; }
  int stages() const { return shape_.stages; }  // of each group
  int shards() const { return shape_.shards; }  // of each stage
  int size() const { return shape_.size(); }

  // The ranks are in the order of their places.
  const std::vector<int>& ranks() const { return ranks_; }
  std::vector<int> ranks_of_group(int group) const;

  // The rank of the first place, which reads pictures, keeps the requests' states and gives the results out.
  int first_rank() const { return ranks_.front(); }

  // These throw InternalError for a place or a rank that there is not.
  int rank_of(const Place& place) const;
  Place place_of(int rank) const { return shape_.place_at(index_of(rank)); }
  int index_of(int rank) const;  // of the rank's place: where it stands in ranks()

  // A group's stages form a ring, shard by shard: after the last stage comes the first. A stage that is alone
  // is its own neighbour.
  int next(int rank) const { return at_distance(rank, 1); }
  int previous(int rank) const { return at_distance(rank, -1); }
  bool is_first_stage(int rank) const { return place_of(rank).stage == 0; }
  bool is_last_stage(int rank) const { return place_of(rank).stage == stages() - 1; }

  bool operator==(const Topology&) const = default;

 private:
  int at_distance(int rank, int stages) const;

  Shape shape_;
  std::vector<int> ranks_;    // by place
  std::vector<int> indices_;  // of places, by rank
};

}  // namespace layerpipe::partition
