#include "launch/commands/decompose_command.h"

#include <fmt/ranges.h>

#include <chrono>
#include <optional>

#include "comm/communicator.h"
#include "common/units.h"
#include "launch/options/decompose_options.h"
#include "launch/terminal/run_display.h"
#include "launch/terminal/terminal.h"
#include "results/disk_space.h"
#include "results/documents.h"
#include "results/result_writer.h"
#include "runtime/device/memory.h"
#include "session/session.h"

namespace layerpipe::launch {
namespace {

// "2 layers of 640 × 448 pixels and composite.png, layers.psd".
std::string summary_of(const session::Job& job, const common::Size& size) {
  std::vector<std::string> files;
  if (contains(job.formats, results::Format::kPng)) files.emplace_back(results::kCompositeName);
  for (const results::Format format : job.formats) {
    if (format != results::Format::kPng) files.push_back(results::document_name(format));
  }
  return fmt::format("{} layers of {} × {} pixels {} {}", job.layers, size.width, size.height,
                     contains(job.formats, results::Format::kPng) ? "and" : "in", fmt::join(files, ", "));
}

// `empty_layers` has those of each result.
void print_summary(const results::ResultWriter& writer, const std::vector<results::RunRecord>& records,
                   const session::Job& job, const std::vector<std::vector<std::size_t>>& empty_layers,
                   double seconds) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::string folder = writer.folder(i).string();
    say(fmt::format("{}: {}\n", folder, summary_of(job, records[i].layer_size)));
    if (!empty_layers[i].empty())
      say(fmt::format("{}: {}\n", folder, results::empty_layers_text(empty_layers[i])));
  }
  say(fmt::format("done in {}\n", common::format_duration(std::chrono::duration<double>(seconds))));
}

// Writes the results into files.
class WrittenResults : public session::ResultSink {
 public:
  explicit WrittenResults(const DecomposeOptions& options) : options_(options) {}

  void begin(const session::Machinery& machinery, const session::Work& work,
             const std::function<void()>& moved) override {
    for (const results::RunRecord& record : work.records)
      results::check_sizes(options_.output.formats, record.layer_size);
    results::check_writing_memory(work.records, options_.output.formats, runtime::memory_use(at::kCPU));
    results::check_disk_space(options_.output, work.requests, work.records, machinery.engine->model_config());
    writer_.emplace(options_.output, work.requests.size(), static_cast<std::size_t>(options_.job.layers),
                    moved);
    if (const std::string remark = writer_->remark(); !remark.empty() && !options_.quiet) say(remark + '\n');
    records_ = work.records;
    empty_layers_.resize(records_.size());
  }
  void take(std::size_t index, const results::RunRecord& record, const runtime::Result& result,
            const std::function<void(const results::WritingProgress&)>& told) override {
    empty_layers_[index] = writer_->write(index, record, result, told);
  }
  void finish() override { writer_->finish(); }
  void print_summary(double seconds) const {
    launch::print_summary(*writer_, records_, options_.job, empty_layers_, seconds);
  }

 private:
  const DecomposeOptions& options_;
  std::optional<results::ResultWriter> writer_;
  std::vector<results::RunRecord> records_;
  std::vector<std::vector<std::size_t>> empty_layers_;  // of each result
};

// Runs on every rank of `communicator`; rank 0 reads, writes and says what happens. Throws the errors of
// common/errors.h. What was finished before an error stays where there was nothing to replace; results of an
// earlier run are replaced all together at the end, so these stay, and the new ones go
// (results/result_folder.h).
void run_decompose(const DecomposeOptions& options, const CommandContext& context) {
  const auto start = std::chrono::steady_clock::now();
  WrittenResults results(options);
  RunDisplay display(options.quiet ? Loudness::kQuiet : Loudness::kUsual, context.stop_requested);
  session::Session session(options.settings, *context.communicator,
                           {context.stop_requested, context.doing, display});
  session.make(options.job, results);
  if (context.communicator->rank() != 0 || options.quiet) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  results.print_summary(took.count());
}

}  // namespace

Command decompose_command() {
  return {.name = "decompose",
          .help = "Take a picture apart into layers",
          .add_options = add_decompose_options,
          .read = [](const CLI::App& command) -> PreparedCommand {
            const DecomposeOptions options = read_decompose_options(command);
            return {.timeout_of_ranks = options.settings.run_config.comm.timeout,
                    .load = Load::kComputing,
                    .run = [options](const CommandContext& context) { run_decompose(options, context); }};
          }};
}

}  // namespace layerpipe::launch
