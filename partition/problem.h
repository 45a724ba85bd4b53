// What the strategies of the partitioner share. Internal to the folder.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/range.h"
#include "partition/cost.h"
#include "partition/device_info.h"
#include "partition/partition_config.h"

namespace layerpipe::partition {

// A device, which gets a stage, and what may be used of it.
struct Place {
  DeviceInfo device;
  std::uint64_t usable_bytes = 0;  // free, or the user's limit where that is less
  std::uint64_t budget_bytes = 0;  // usable, less the reserve
};

// A place for each device: those of a host side by side, hosts in the order of their first device. Throws
// InputError for no device and for two of one rank.
std::vector<Place> places_by_host(std::span<const DeviceInfo> devices, const PartitionConfig& config);

// How many units each stage gets, in the order of the places. The blocks of each group add up to all of them;
// text layers and VAE shares are dealt over all groups.
struct Split {
  std::vector<std::int64_t> blocks;
  std::vector<std::int64_t> text_layers;
  std::vector<double> vae_percent;
  bool operator==(const Split&) const = default;
};

struct Problem {
  const ModelCost& cost;
  std::vector<Place> places;  // group after group, in each of them stage after stage
  std::int64_t groups = 1;

  std::int64_t ranks() const { return static_cast<std::int64_t>(places.size()); }
  std::int64_t stages() const { return ranks() / groups; }  // of each group
  // The places of the group that a place belongs to.
  common::Range group_around(std::int64_t place) const {
    const std::int64_t begin = place - place % stages();
    return {begin, begin + stages()};
  }
  std::int64_t blocks() const { return static_cast<std::int64_t>(cost.transformer.units.size()); }
  std::int64_t text_layers() const { return static_cast<std::int64_t>(cost.text_encoder.units.size()); }
};

}  // namespace layerpipe::partition
