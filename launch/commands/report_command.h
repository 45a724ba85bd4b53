// `layerpipe report`: what a run.json tells, as a page.
#pragma once

#include <filesystem>

namespace CLI {
class App;
}

namespace layerpipe::launch {

struct ReportOptions {
  std::filesystem::path run;  // run.json
  std::filesystem::path out;  // ends in .html; empty: report.html beside it
};

void add_report_options(CLI::App& command);
// Throws InputError naming the option.
ReportOptions read_report_options(const CLI::App& command);

// Writes the page, with the trace that run.json names where that can be read, and says where it is. Throws
// InputError for a file that is no run.json and for an --out that is not the name of a page, OutputError when
// the page cannot be written.
void run_report(const ReportOptions& options);

}  // namespace layerpipe::launch
