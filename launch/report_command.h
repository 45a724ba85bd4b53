// `layerpipe report`: what a run.json tells, as a page.
#pragma once

#include <filesystem>

namespace layerpipe::launch {

struct ReportOptions {
  std::filesystem::path run;  // run.json
  std::filesystem::path out;  // empty: report.html beside it
};

// Writes the page, with the trace that run.json names where that can be read, and says where it is. Throws
// InputError for a file that is no run.json, OutputError when the page cannot be written.
void run_report(const ReportOptions& options);

}  // namespace layerpipe::launch
