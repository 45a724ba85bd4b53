// The plan of one rank that holds everything.
#pragma once

#include "model/config.h"
#include "partition/plan.h"

namespace layerpipe::runtime {

// One stage, each phase's weights in memory while it needs them, one request at a time.
partition::Plan whole_plan(const model::ModelConfig& model);

}  // namespace layerpipe::runtime
