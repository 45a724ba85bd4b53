// From the words of the command line to the command that they ask for.
#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "launch/decompose_options.h"
#include "launch/export_command.h"
#include "launch/inspect_command.h"
#include "launch/merge_command.h"
#include "launch/plan_options.h"
#include "launch/report_command.h"
#include "launch/rerun_command.h"
#include "runtime/report.h"

namespace layerpipe::launch {

// --help or --version: a text for stdout.
struct Information {
  std::string text;
};

struct Decompose {
  DecomposeOptions options;
  std::vector<runtime::OptionRecord> records;
};

struct Inspect {
  std::filesystem::path model;
  InspectFormat format = InspectFormat::kTable;
};

struct PlanOnly {
  PlanOptions options;
};

using Command = std::variant<Information, Decompose, PlanOnly, Inspect, ExportOptions, MergeOptions,
                             ReportOptions, RerunOptions>;

// `argv` as main gets it. Throws InputError: one line that names the option or the command, and as its remedy
// where to look. Of the disk, only the file of --partition is looked at.
Command parse_command_line(int argc, const char* const* argv);

}  // namespace layerpipe::launch
