// Models and devices drawn at random, from small enough to enumerate to absurd.
#pragma once

#include <random>
#include <vector>

#include "partition/partitioner.h"

namespace layerpipe::partition::testing {

inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

// The same numbers from every standard library, which its distributions do not promise.
class Draw {
 public:
  explicit Draw(unsigned seed) : engine_(seed) {}
  // low … high, both included.
  std::uint64_t number(std::uint64_t low, std::uint64_t high) {
    const std::uint64_t word = std::uint64_t{engine_()} << 32 | engine_();
    return low + word % (high - low + 1);
  }
  std::int64_t count(std::int64_t low, std::int64_t high) {
    return static_cast<std::int64_t>(
        number(static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(high)));
  }
  bool one_in(std::uint64_t n) { return number(1, n) == 1; }

 private:
  std::mt19937 engine_;
};

// Devices of one host with these bytes free, ranks from 0.
std::vector<DeviceInfo> devices_with(const std::vector<std::uint64_t>& free_bytes);

// A model of equal units and nothing beside them.
ModelCost plain_model(std::int64_t blocks, std::uint64_t block_bytes, std::int64_t text_layers = 0,
                      std::uint64_t layer_bytes = 0);

// Blocks of one size, a smaller last one, and a bit of everything else.
ModelCost random_model(Draw& draw, std::int64_t blocks, std::int64_t text_layers);

std::uint64_t weights_of(const ModelCost& cost);

// About `share` of what the model takes, dealt out unequally; hosts of several devices in mixed order.
std::vector<DeviceInfo> random_devices(Draw& draw, std::int64_t count, std::uint64_t total_bytes);

// Fails the test unless every unit is in one stage, in order, no stage is without a block, shares add up, and
// the verdict agrees with the predicted peaks.
void expect_sound(const Plan& plan, const ModelCost& cost, const std::vector<DeviceInfo>& devices);

// All ways to write `units` as a sum of `parts` numbers of at least `least`.
std::vector<std::vector<std::int64_t>> all_splits(std::int64_t units, std::int64_t parts, std::int64_t least);

}  // namespace layerpipe::partition::testing
