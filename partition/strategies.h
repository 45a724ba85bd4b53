// The ways of splitting, for one residency and number of requests in flight. Internal to the folder.
#pragma once

#include <optional>

#include "partition/predictor.h"
#include "partition/problem.h"

namespace layerpipe::partition {

// In proportion to usable memory, whether it fits or not.
Split proportional_split(const Problem& problem);

// `split` with units moved, one at a time, from the device that is most over its budget to the roomiest one
// that can take them, text layers first, then blocks, then VAE strips, for as long as that helps. When this
// ends over a budget and filling finds a split, that one.
Split fit_to_budgets(const Problem& problem, const Predictor& predictor, Split split);

// Stages filled to the brim one after another, the VAE on those that have room for it. Finds a split that
// fits whenever there is one, when blocks are of one size (the last one, which only the last stage can hold,
// may be smaller).
std::optional<Split> filled_split(const Problem& problem, const Predictor& predictor);

// `split` with its blocks dealt out anew, so that the slowest stage is as fast as can be within the budgets.
// `split` as it is when nothing fits.
Split fastest_split(const Problem& problem, const Predictor& predictor, Split split);

// Splits as the file says. Throws InputError for what make_plan names; puts problem's places into the order
// of the file.
Split explicit_split(Problem& problem, const std::vector<ExplicitStage>& stages);

bool fits(const Problem& problem, const Predictor& predictor, const Split& split);

// The residencies to try, the fastest first.
std::vector<PerComponent<Residency>> residencies_to_try(const PartitionConfig& config);

}  // namespace layerpipe::partition
