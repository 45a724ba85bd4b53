// What a run tells of itself, put into records.
#pragma once

#include <span>
#include <string>

#include "partition/plan.h"
#include "results/run_record.h"
#include "runtime/observe/metrics.h"
#include "session/rank_setup.h"
#include "session/settings.h"

namespace layerpipe::session {

// Fills in what all results of a run share and is known before the work: versions, options, the model, the
// device.
void record_setup(const Settings& settings, const Machinery& machinery, results::RunRecord& record);

// What was measured up to a result, all requests together.
struct Measured {
  const partition::Plan& plan;
  std::span<const runtime::RankMetrics> ranks;  // by rank
  const std::vector<double>& step_seconds;      // of the result
  const std::string& run_id;                    // RunRecord::run_id
};

// Fills in the plan, and what each rank took.
void record_metrics(const Measured& measured, results::RunRecord& record);

// Fills in what the weights and the host's memory came to.
void record_memory(const runtime::Engine& engine, const at::Device& device, results::RunRecord& record);

}  // namespace layerpipe::session
