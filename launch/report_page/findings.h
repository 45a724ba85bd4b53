// What a run's figures mean, in sentences.
#pragma once

#include <string>
#include <vector>

#include "results/run_record.h"

namespace layerpipe::launch {

// The sentences say only what follows from the figures, the most important first.
std::vector<std::string> findings(const results::RunRecord& record);

// What the measured peaks are of, and so what the comparison with the prediction says.
std::string peak_meaning(const results::RunRecord& record);

}  // namespace layerpipe::launch
