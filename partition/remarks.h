// What a person is told about a plan, in sentences. Internal to the folder.
#pragma once

#include <string>
#include <vector>

#include "partition/plan.h"
#include "partition/problem.h"

namespace layerpipe::partition {

// What decided over proportion, and where: a stage needs one block, or memory.
std::vector<std::string> remarks_on_split(const Plan& plan, const Split& proportional,
                                          const Problem& problem);

// What leaves the devices between phases though nobody asked for it, and fewer requests in flight than
// `saturating`.
std::vector<std::string> remarks_on_choices(const Plan& plan, const PartitionConfig& config,
                                            std::int64_t saturating);

// Whether timesteps of the work find no room in the modulation table.
std::vector<std::string> remarks_on_modulation(const Plan& plan, const Workload& workload);

// The sentences say which ranks may have less memory than their machines, and why.
std::vector<std::string> remarks_on_limits(const Plan& plan);

// The sentences say which ranks lack how much, in which phase, and when the reserve takes much of what they
// have.
std::vector<std::string> remarks_on_missing(const Plan& plan, const PartitionConfig& config);

}  // namespace layerpipe::partition
