#include "launch/commands/export_command.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "common/visible.h"
#include "launch/options/job_options.h"
#include "launch/options/option_values.h"
#include "launch/options/overwrite_option.h"
#include "launch/terminal/terminal.h"
#include "results/archive_report.h"
#include "results/documents.h"
#include "results/edited_document.h"
#include "results/file_content.h"
#include "results/finished_run.h"
#include "results/folder_lock.h"
#include "results/formats.h"
#include "results/kept_layers.h"
#include "results/nested_results.h"
#include "results/output_path.h"
#include "results/result_folder.h"
#include "results/writing_memory.h"
#include "runtime/device/memory.h"
#include "session/option_text.h"

namespace layerpipe::launch {
namespace {

struct ExportOptions {
  std::filesystem::path in;
  std::filesystem::path out;  // --in unless it is given
  std::vector<std::filesystem::path> nests;
  std::vector<results::Format> formats;
  results::EmptyLayers empty_layers = results::EmptyLayers::kKeep;
  results::Overwrite overwrite = results::Overwrite::kRefuse;
};

// Archives hold it as it is.
void check_composite(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / results::kCompositeName;
  std::error_code error;
  if (std::filesystem::is_regular_file(file, error)) return;
  throw common::InputError(fmt::format("{}, which belongs into the ZIP, is not there", file.string()),
                           fmt::format("Make it again: layerpipe merge --in {} --out {}",
                                       common::visible(folder.string()), common::visible(file.string())));
}

void add_export_options(CLI::App& command) {
  const OptionGroup needed(command, "Needed");
  needed.add(
      "--in", "PATH",
      "Folder of a finished run, with its layers as PNG; or a document that was edited: Photoshop (.psd, "
      ".psb) or OpenRaster (.ora)");
  needed.add("--format", "FORMATS",
             fmt::format("What to write: {}; several with commas between them",
                         results::list_of(results::kDocumentFormats)));
  const OptionGroup files(command, "Files");
  files.add("--out", "FOLDER", "Folder for the documents; needed when --in is a document")
      .default_text("that of --in");
  add_job_option(files, "drop_empty");
  add_overwrite_option(files);
  files.add_list(
      "--nest", "FOLDER",
      "Runs that took a layer of --in, or of another of these, apart again: each becomes a group in "
      "the place of that layer");
  add_footer(command, "Example:\n  layerpipe export --in layers --format psd,html");
}

ExportOptions read_export_options(const CLI::App& command) {
  const OptionValues values(command, "layerpipe export");
  values.require({"--in", "--format"});
  ExportOptions options;
  values.read_path("--in", options.in);
  options.out = options.in;
  values.read_path("--out", options.out);
  if (values.given("--nest")) {
    const std::string option = "--nest";
    for (const std::string& folder : values.texts(option))
      options.nests.push_back(session::read_path({option, folder, values.remedy()}));
  }
  const std::string option = "--format";
  options.formats = session::read_formats({option, values.texts(option).front(), values.remedy()},
                                          results::kDocumentFormats);
  results::check_built(options.formats);
  options.overwrite = read_overwrite(values);
  if (values.given("--drop-empty")) options.empty_layers = results::EmptyLayers::kDrop;
  return options;
}

// Where documents go: what is there and is the same already is in nobody's way.
results::ResultFolder::Request folder_for(const ExportOptions& options, const std::filesystem::path& out) {
  std::vector<std::filesystem::path> names;
  for (const results::Format format : options.formats) names.emplace_back(results::document_name(format));
  return {.question = {.folder = out, .names = names, .inputs = {}, .older = results::Older::kStays},
          .option = "--out",
          .what = "documents",
          .overwrite = options.overwrite,
          .refuses_at_once = false};
}

// Writes a result's documents into a folder, all or none; where they lie beside its own run.json, that lists
// them. Says on stderr what it wrote.
void write_result(const ExportOptions& options, const results::LayeredResult& result,
                  const std::filesystem::path& from, const std::filesystem::path& out,
                  const results::WritingLimits& limits) {
  results::ResultFolder folder(folder_for(options, out));
  const std::filesystem::path staged =
      folder.staged(results::document_name(options.formats.front())).parent_path();
  results::WrittenDocuments documents;
  folder.write([&] {
    documents = results::write_documents(staged, options.formats, result, options.empty_layers, limits);
    std::error_code error;
    if (!std::filesystem::equivalent(out, from, error)) return;
    std::vector<results::WrittenFile> written;
    for (const std::string& name : documents.names)
      written.push_back({name, *results::content_of(staged / name)});
    const std::string report =
        common::read_text_file(from / results::kReportName, results::kLargestRunRecord);
    common::write_file_atomically(staged / results::kReportName,
                                  results::with_files(report, written, results::Listed::kAsFiles));
  });
  folder.commit(results::Unplaced::kDrop);
  const auto say_of_it = [&](const std::string& text) {
    if (!text.empty()) say(fmt::format("{}: {}", out.string(), text));
  };
  say_of_it(fmt::format("{}", fmt::join(documents.names, ", ")));
  say_of_it(documents.remark);
  if (!result.empty_layers.empty()) say_of_it(results::empty_layers_text(result.empty_layers));
  say_of_it(results::added_layers_text(result));
}

// A received folder must not say where else documents are written: a numbered folder in it may be a link.
void check_stays_there(const ExportOptions& options, const results::FinishedResult& from) {
  std::error_code error;
  if (from.number.empty() || !std::filesystem::is_symlink(from.folder, error) ||
      !std::filesystem::equivalent(options.in, options.out, error))
    return;
  throw common::InputError(
      fmt::format("{} is a link, so its documents would be written elsewhere", from.folder.string()),
      "Give --out.");
}

// What is to be exported, all of it read.
std::vector<results::OpenedResult> open_results(const ExportOptions& options,
                                                const std::atomic<bool>& stop_requested) {
  std::vector<results::OpenedResult> opened;
  for (const results::FinishedResult& from : results::result_folders(options.in)) {
    check_stays_there(options, from);
    if (contains(options.formats, results::Format::kZip)) check_composite(from.folder);
    opened.push_back({from, results::read_result(from.folder, stop_requested)});
  }
  for (const std::string& sentence : results::nest_results(opened, options.nests, stop_requested))
    say(sentence);
  return opened;
}

// Documents never replace the one that they are made from.
void check_input_stays(const ExportOptions& options) {
  for (const results::Format format : options.formats) {
    const std::filesystem::path file = options.out / results::document_name(format);
    std::error_code error;
    if (!std::filesystem::equivalent(options.in, file, error)) continue;
    throw common::InputError("the document would be written over " + file.string(),
                             "Choose another folder for --out.");
  }
}

// Writes the documents of an edited one to --out, all or none. All layers are read before something is
// written. Says on stderr what it wrote.
void export_document(const ExportOptions& options, const std::atomic<bool>& stop_requested) {
  const auto [document, remarks] = results::open_edited_document("--in", options.in);
  if (!options.nests.empty()) {
    throw common::InputError(
        "--in " + options.in.string() + " is a document; --nest puts results into the layers of a run",
        "Give the folder of the run to --in, or leave --nest out.");
  }
  if (options.out == options.in) {
    throw common::InputError("--in " + options.in.string() + " is a document, for which --out is missing",
                             "Name a folder for the new documents with --out.");
  }
  check_input_stays(options);
  const results::WritingLimits limits = results::writing_limits();
  results::check_document_memory(
      {document.width, document.height}, options.formats,
      [&, &document = document](results::Format format) {
        return results::writing_bytes(format, document, limits.threads);
      },
      runtime::memory_use(at::kCPU));
  for (const std::string& remark : remarks) say(fmt::format("{}: {}\n", options.in.string(), remark));
  const std::vector<std::size_t> empty = results::empty_layers_of(document, stop_requested);
  results::ResultFolder folder(folder_for(options, options.out));
  const std::filesystem::path staged =
      folder.staged(results::document_name(options.formats.front())).parent_path();
  folder.write([&, &document = document] {
    results::write_edited_document(staged, options.formats, document, empty, options.empty_layers, limits,
                                   stop_requested);
  });
  folder.commit(results::Unplaced::kDrop);
  std::vector<std::string> names;
  for (const results::Format format : options.formats) names.push_back(results::document_name(format));
  say(fmt::format("{}: {}\n", options.out.string(), fmt::join(names, ", ")));
  if (!empty.empty()) say(fmt::format("{}: {}\n", options.out.string(), results::empty_layers_text(empty)));
}

// Writes the documents of each result to --out, or to --out/0, --out/1 and so on where the run has several:
// the same bytes as decompose would have written, while the picture is where the run found it, seen from
// here, and still that picture; otherwise the HTML page lacks the original, which is said. All results are
// read before something is written. A document that is there already is replaced when it is as it was
// written, the same, or with --overwrite. Throws InputError and OutputError; InterruptedError once
// `stop_requested`.
void run_export(const ExportOptions& options, const std::atomic<bool>& stop_requested) {
  std::error_code error;
  if (std::filesystem::is_regular_file(options.in, error)) return export_document(options, stop_requested);
  results::mend(options.in);
  std::vector<results::OpenedResult> opened = open_results(options, stop_requested);
  std::optional<results::FolderLock> whole_run;
  if (!opened.front().from.number.empty() && results::is_folder(options.out)) whole_run.emplace(options.out);
  for (auto& [from, result] : opened) {
    results::WritingLimits limits = results::writing_limits();
    const results::ResultDocuments documents(result, options.empty_layers, limits.threads);
    results::check_document_memory(
        result.record.layer_size, options.formats,
        [&](results::Format format) { return documents.bytes(format); }, runtime::memory_use(at::kCPU));
    // One document reads a layer twice at most: not worth the memory of all of them.
    if (options.formats.size() > 1)
      results::keep_layers(result.layers, results::layer_bytes(result.record), limits);
    write_result(options, result, from.folder, from.number.empty() ? options.out : options.out / from.number,
                 limits);
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
