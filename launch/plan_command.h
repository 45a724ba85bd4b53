// `layerpipe plan`: who would hold what, without reading a weight.
#pragma once

#include <iosfwd>

#include "launch/plan_options.h"

namespace layerpipe::launch {

// Writes the plan to `out`, and to stderr what a person should know of the machine. Throws InputError, and
// when the model does not fit, after writing, DoesNotFitError.
void run_plan(const PlanOptions& options, std::ostream& out);

}  // namespace layerpipe::launch
