#include "launch/commands/report_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "common/errors.h"
#include "common/files.h"
#include "launch/options/option_values.h"
#include "launch/options/overwrite_option.h"
#include "launch/report_page/page.h"
#include "launch/terminal/terminal.h"
#include "results/archive_report.h"
#include "results/documents.h"
#include "results/file_content.h"
#include "results/output_path.h"
#include "results/result_folder.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;

struct ReportOptions {
  fs::path run;  // run.json
  fs::path out;  // ends in .html; empty: report.html beside it
  results::Overwrite overwrite = results::Overwrite::kRefuse;
};

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// Where the trace of a run is now: where it was written, seen from here, or beside run.json.
fs::path find_trace(const std::string& recorded, const fs::path& run) {
  const fs::path file = recorded;
  if (is_file(file)) return file;
  const fs::path beside = run.parent_path() / file.filename();
  return is_file(beside) ? beside : fs::path();
}

// Says why a trace is not drawn: another run may have written over it. Empty when it is that of the run.
std::string misfit(const results::RecordedTrace& trace, const results::RunRecord& record) {
  const bool has_ranks =
      std::equal(trace.ranks.begin(), trace.ranks.end(), record.ranks.begin(), record.ranks.end(),
                 [](const auto& traced, const auto& recorded) { return traced.rank == recorded.rank; });
  if (!has_ranks) return "The trace is of another run: its ranks are not those of this one.";
  if (trace.run_id != record.run_id)
    return "The trace is of another run, which wrote it over that of this one.";
  return {};
}

void add_trace(ReportSource& source, const fs::path& run) {
  const results::RecordedOption* option = source.record.option("trace");
  if (option == nullptr || option->values.empty() || option->values.front().empty()) {
    source.trace_note =
        "Without a trace: layerpipe decompose --trace FILE writes one, and then its steps are "
        "drawn here.";
    return;
  }
  const fs::path file = find_trace(option->values.front(), run);
  if (file.empty()) {
    source.trace_note = "The trace of this run is not where it was written, nor beside run.json.";
    return;
  }
  try {
    results::RecordedTrace trace = results::read_trace(file);
    source.trace_note = misfit(trace, source.record);
    if (source.trace_note.empty()) source.trace = std::move(trace);
  } catch (const common::InputError& error) {
    source.trace_note = "The trace of this run cannot be read.";
    say(fmt::format("without its trace: {}\n", error.what()));
  }
}

// A mistyped --out must not cost what cannot be made again: neither the run.json nor what it lists.
void check_out(const fs::path& out, const ReportOptions& options, const results::RunRecord& record) {
  const std::string option = "--out " + out.string();
  std::error_code error;
  if (fs::is_directory(out, error))
    throw common::InputError(option + " is a folder", "Give the name of a file in it.");
  std::vector<fs::path> kept{options.run};
  for (const std::string& file : record.files) kept.push_back(options.run.parent_path() / file);
  for (const fs::path& file : kept) {
    if (fs::equivalent(out, file, error))
      throw common::InputError("the page would be written over " + file.string(), "Choose another --out.");
  }
  if (out.extension() != ".html")
    throw common::InputError(option + " does not end in .html", "The page is written as HTML.");
  const fs::path folder = out.has_parent_path() ? out.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, error)) {
    throw common::InputError(option + ": there is no folder " + folder.string(),
                             "Make it, or choose another file.");
  }
}

void add_report_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  needed.add("run.json", "FILE", "What layerpipe decompose wrote beside its layers");
  const OptionGroup page(command, "Output");
  page.add("--out", "FILE", "The page [default: report.html beside run.json]");
  add_overwrite_option(page, "Replace a report.html beside run.json that is another's, or was edited");
  add_footer(command, "Example:\n  layerpipe report layers/run.json");
}

ReportOptions read_report_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe report");
  values.require({"run.json"});
  ReportOptions options;
  values.read_path("run.json", options.run);
  values.read_path("--out", options.out);
  options.overwrite = read_overwrite(values);
  return options;
}

// Whether the page gets the name that it has where nobody gives it one, also when --out says the same.
bool is_own_name(const fs::path& out, const ReportOptions& options) {
  if (out.filename() != results::kPageName) return false;
  std::error_code error;
  return fs::equivalent(results::folder_of(out), results::folder_of(options.run), error);
}

// The page that lies beside its run.json under its own name is listed there, and goes with the result when
// that is made anew; what lies there and is not listed, or was edited, is kept. A file that was named
// outright is a person's, and replaced.
void write_page(const fs::path& out, const std::string& page, const ReportOptions& options) {
  if (!is_own_name(out, options)) return common::write_file_atomically(out, page);
  results::ResultFolder folder({.question = {.folder = results::folder_of(options.run),
                                             .names = {results::kPageName},
                                             .inputs = {},
                                             .older = results::Older::kStays},
                                .option = "the folder",
                                .what = "page",
                                .overwrite = options.overwrite,
                                .refuses_at_once = false,
                                .elsewhere = "Name another file with --out"});
  const fs::path staged = folder.staged(results::kPageName);
  folder.write([&] {
    common::write_file_atomically(staged, page);
    if (options.run.filename() != results::kReportName) return;
    const std::string report = common::read_text_file(options.run, results::kLargestRunRecord);
    const results::WrittenFile written{results::kPageName, *results::content_of(staged)};
    common::write_file_atomically(folder.staged(results::kReportName),
                                  results::with_files(report, {&written, 1}, results::Listed::kAsWritten));
  });
  folder.commit(results::Unplaced::kDrop);
}

// Writes the page, with the trace that run.json names where that can be read, and says where it is. Throws
// InputError for a file that is no run.json, for an --out that is not the name of a page, and when another's
// page stands in the way; OutputError when the page cannot be written.
void run_report(const ReportOptions& options) {
  ReportSource source{.record = results::read_run_record(options.run), .trace = {}, .trace_note = {}};
  const fs::path out = options.out.empty() ? options.run.parent_path() / results::kPageName : options.out;
  check_out(out, options, source.record);
  add_trace(source, options.run);
  write_page(out, report_page(source), options);
  say(fmt::format("{}\n", out.string()));
}

}  // namespace

Command report_command() {
  return {.name = "report",
          .help = "Show what a run did, as a page",
          .add_options = add_report_options,
          .read = [](const CLI::App& command) -> PreparedCommand {
            return {.timeout_of_ranks = {},
                    .load = Load::kLight,
                    .run = [options = read_report_options(command)](const CommandContext&) {
                      run_report(options);
                    }};
          }};
}

}  // namespace layerpipe::launch
