#include "launch/commands/export_command.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "launch/options/job_options.h"
#include "launch/options/option_values.h"
#include "launch/terminal/terminal.h"
#include "results/archive_report.h"
#include "results/finished_run.h"
#include "results/formats.h"
#include "results/kept_layers.h"
#include "results/writing_memory.h"
#include "session/option_text.h"

namespace layerpipe::launch {
namespace {

struct ExportOptions {
  std::filesystem::path in;
  std::filesystem::path out;  // --in unless it is given
  std::vector<results::Format> formats;
  results::EmptyLayers empty_layers = results::EmptyLayers::kKeep;
};

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

void add_export_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  needed.add("--in", "FOLDER", "Folder of a finished run, with its layers as PNG");
  needed.add("--format", "FORMATS",
             fmt::format("What to write: {}; several with commas between them",
                         results::list_of(results::kDocumentFormats)));
  const OptionGroup files(command, "Files");
  files.add("--out", "FOLDER", "Folder for the documents").default_text("that of --in");
  add_job_option(files, "drop_empty");
  add_footer(command, "Example:\n  layerpipe export --in layers --format psd,html");
}

ExportOptions read_export_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe export");
  values.require({"--in", "--format"});
  ExportOptions options;
  values.read_path("--in", options.in);
  options.out = options.in;
  values.read_path("--out", options.out);
  const std::string option = "--format";
  options.formats = session::read_formats({option, values.texts(option).front(), values.remedy()},
                                          results::kDocumentFormats);
  results::check_built(options.formats);
  if (values.given("--drop-empty")) options.empty_layers = results::EmptyLayers::kDrop;
  return options;
}

// Writes the documents of each result to --out, or to --out/0, --out/1 and so on where the run has several:
// the same bytes as decompose would have written, while the picture is where the run found it, seen from
// here; without it the HTML page lacks the original, which is said. Where they lie beside a run.json that is
// the result's own, it lists them afterwards. Says on stderr what it wrote. All of a result is read before
// something of it is written. Throws InputError and OutputError; InterruptedError once `stop_requested`.
void run_export(const ExportOptions& options, const std::atomic<bool>& stop_requested) {
  for (const results::ResultFolder& from : results::result_folders(options.in)) {
    if (contains(options.formats, results::Format::kZip)) check_composite(from.folder);
    results::LayeredResult result = results::read_result(from.folder, stop_requested);
    const std::filesystem::path out = from.number.empty() ? options.out : options.out / from.number;
    prepare_folder(out);
    results::WritingLimits limits = results::writing_limits();
    results::keep_layers(result.layers, results::layer_bytes(result.record), limits);
    const auto [names, remark] =
        results::write_documents(out, options.formats, result, options.empty_layers, limits);
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

}  // namespace

Command export_command() {
  return {.name = "export",
          .help = "Make documents from the layers of a finished run",
          .add_options = add_export_options,
          .read = [](const CLI::App& command) -> PreparedCommand {
            return {.timeout_of_ranks = {},
                    .load = Load::kLight,
                    .run = [options = read_export_options(command)](const CommandContext& context) {
                      run_export(options, context.stop_requested);
                    }};
          }};
}

}  // namespace layerpipe::launch
