// What tests look at in a plan, or in why there is none.
#pragma once

#include <string>
#include <vector>

#include "common/errors.h"
#include "partition/partitioner.h"

namespace layerpipe::partition::testing {

inline constexpr PartitionConfig kNoReserve{.reserve_bytes = 0};

// The numbers of blocks, and of text layers, by stage.
inline std::vector<std::int64_t> blocks_of(const Plan& plan) {
  std::vector<std::int64_t> counts;
  for (const StagePlan& stage : plan.stages) counts.push_back(stage.blocks.size());
  return counts;
}
inline std::vector<std::int64_t> text_layers_of(const Plan& plan) {
  std::vector<std::int64_t> counts;
  for (const StagePlan& stage : plan.stages) counts.push_back(stage.text_layers.size());
  return counts;
}

// What `make` is refused with: "what happened | what to do".
template <typename Make>
std::string refusal_of(const Make& make) {
  try {
    make();
  } catch (const common::InputError& error) {
    return error.what() + (error.remedy().empty() ? "" : " | " + error.remedy());
  }
  return "no refusal";
}

}  // namespace layerpipe::partition::testing
