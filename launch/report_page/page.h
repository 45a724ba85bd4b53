// The page of `layerpipe report`: one HTML file that needs neither scripts nor a network.
#pragma once

#include <optional>
#include <string>

#include "results/run_record.h"
#include "results/trace_record.h"

namespace layerpipe::launch {

struct ReportSource {
  results::RunRecord record;
  std::optional<results::RecordedTrace> trace;
  std::string trace_note;  // why there is no trace, as a sentence; empty when there is one
};

// Everything from `source` is escaped, and the page's policy allows its own style alone. Says where it comes
// from and is the same for the same source.
std::string report_page(const ReportSource& source);

}  // namespace layerpipe::launch
