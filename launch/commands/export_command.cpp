#include "launch/commands/export_command.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <system_error>

#include "common/errors.h"
#include "common/files.h"
#include "launch/options/format_options.h"
#include "launch/options/option_values.h"
#include "launch/terminal/terminal.h"
#include "results/archive_report.h"
#include "results/finished_run.h"

namespace layerpipe::launch {
namespace {

void prepare_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder, error)) {
    throw common::InputError("--out " + folder.string() + " cannot be made a folder",
                             "Choose another folder.");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw common::InputError("--out " + folder.string() + " may not be written", "Choose another folder.");
  }
}

// Archives hold it as it is.
void check_composite(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / results::kCompositeName;
  std::error_code error;
  if (std::filesystem::is_regular_file(file, error)) return;
  throw common::InputError(
      fmt::format("{}, which belongs into the ZIP, is not there", file.string()),
      fmt::format("Make it again: layerpipe merge --in {} --out {}", folder.string(), file.string()));
}

}  // namespace

void add_export_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  needed.add("--in", "FOLDER", "Folder of a finished run, with its layers as PNG");
  needed.add("--format", "FORMATS",
             fmt::format("What to write: {}; several with commas between them",
                         results::list_of(results::kDocumentFormats)));
  const OptionGroup files(command, "Files");
  files.add("--out", "FOLDER", "Folder for the documents")->default_str("that of --in");
  files.add_flag("--drop-empty", kDropEmptyHelp);
  command.footer("Example:\n  layerpipe export --in layers --format psd,html");
}

ExportOptions read_export_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe export");
  values.require({"--in", "--format"});
  ExportOptions options;
  values.read_path("--in", options.in);
  options.out = options.in;
  values.read_path("--out", options.out);
  read_formats(values, "--format", results::kDocumentFormats, options.formats);
  results::check_built(options.formats);
  if (values.given("--drop-empty")) options.empty_layers = results::EmptyLayers::kDrop;
  return options;
}

void run_export(const ExportOptions& options, const std::atomic<bool>& stop_requested) {
  for (const results::ResultFolder& from : results::result_folders(options.in)) {
    if (contains(options.formats, results::Format::kZip)) check_composite(from.folder);
    const results::LayeredResult result = results::read_result(from.folder, stop_requested);
    const std::filesystem::path out = from.number.empty() ? options.out : options.out / from.number;
    prepare_folder(out);
    const auto [names, remark] = results::write_documents(out, options.formats, result, options.empty_layers);
    std::error_code error;
    if (std::filesystem::equivalent(out, from.folder, error)) {
      const std::filesystem::path report = out / results::kReportName;
      common::write_file_atomically(report, results::with_files(common::read_text_file(report), names));
    }
    say(fmt::format("{}: {}\n", out.string(), fmt::join(names, ", ")));
    if (!remark.empty()) say(fmt::format("{}: {}\n", out.string(), remark));
    if (!result.empty_layers.empty())
      say(fmt::format("{}: {}\n", out.string(), results::empty_layers_text(result.empty_layers)));
  }
}

}  // namespace layerpipe::launch
