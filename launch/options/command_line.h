// From the words of the command line to the command that they ask for.
#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "launch/commands/export_command.h"
#include "launch/commands/inspect_command.h"
#include "launch/commands/merge_command.h"
#include "launch/commands/report_command.h"
#include "launch/commands/rerun_command.h"
#include "launch/options/decompose_options.h"
#include "launch/options/plan_options.h"
#include "results/report.h"

namespace layerpipe::launch {

// --help or --version: a text for stdout.
struct Information {
  std::string text;
};

struct Decompose {
  session::DecomposeOptions options;
  std::vector<results::OptionRecord> records;
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
