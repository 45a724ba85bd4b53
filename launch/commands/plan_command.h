// `layerpipe plan`: who would hold what, without reading a weight.
#pragma once

#include <iosfwd>

#include "comm/communicator.h"
#include "launch/options/plan_options.h"

namespace layerpipe::launch {

// Called by all ranks, whose devices are planned for, unless there are imagined ones; a rank alone plans for
// all GPUs of its machine. Rank 0 writes the plan to `out`, and to stderr what a person should know of the
// machine. Throws InputError, and when the model does not fit, after writing, DoesNotFitError; AgreedError
// with either when there are several ranks.
void run_plan(const PlanOptions& options, comm::Communicator& communicator, std::ostream& out);

}  // namespace layerpipe::launch
