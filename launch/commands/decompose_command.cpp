#include "launch/commands/decompose_command.h"

#include <fmt/ranges.h>

#include <chrono>
#include <optional>

#include "common/units.h"
#include "launch/terminal/run_display.h"
#include "launch/terminal/terminal.h"
#include "results/disk_space.h"
#include "results/documents.h"
#include "results/result_writer.h"
#include "runtime/device/memory.h"
#include "session/dtype.h"
#include "session/session.h"

namespace layerpipe::launch {
namespace {

results::RunOrigin origin_of(const session::DecomposeOptions& options,
                             const std::vector<results::OptionRecord>& option_records,
                             const session::Machinery& machinery) {
  return {.version = LAYERPIPE_VERSION,
          .command = "decompose",
          .options = option_records,
          .model_folder = options.model.string(),
          .pipeline = model::to_string(machinery.engine->model_config().pipeline),
          .fingerprint = machinery.fingerprint,
          .device = machinery.device,
          .dtype = session::word_of(machinery.dtype)};
}

// "2 layers of 640 × 448 pixels and composite.png, layers.psd".
std::string summary_of(const session::DecomposeOptions& options, const common::Size& size) {
  std::vector<std::string> files;
  if (contains(options.output.formats, results::Format::kPng)) files.emplace_back(results::kCompositeName);
  for (const results::Format format : options.output.formats) {
    if (format != results::Format::kPng) files.push_back(results::document_name(format));
  }
  return fmt::format("{} layers of {} × {} pixels {} {}", options.work.layers, size.width, size.height,
                     contains(options.output.formats, results::Format::kPng) ? "and" : "in",
                     fmt::join(files, ", "));
}

// `empty_layers`: of each result.
void print_summary(const results::ResultWriter& writer, const std::vector<results::ResultRecord>& records,
                   const session::DecomposeOptions& options,
                   const std::vector<std::vector<std::size_t>>& empty_layers, double seconds) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::string folder = writer.folder(i).string();
    say(fmt::format("{}: {}\n", folder, summary_of(options, records[i].layer_size)));
    if (!empty_layers[i].empty())
      say(fmt::format("{}: {}\n", folder, results::empty_layers_text(empty_layers[i])));
  }
  say(fmt::format("done in {}\n", common::format_duration(std::chrono::duration<double>(seconds))));
}

// Into files.
class WrittenResults : public session::ResultSink {
 public:
  WrittenResults(const session::DecomposeOptions& options,
                 const std::vector<results::OptionRecord>& option_records)
      : options_(options), option_records_(option_records) {}

  void begin(const session::Machinery& machinery, const session::Work& work) override {
    results::check_writing_memory(work.records, runtime::memory_use(at::kCPU));
    results::check_disk_space(options_.output, work.requests, work.records, machinery.engine->model_config());
    writer_.emplace(options_.output, work.requests.size(), origin_of(options_, option_records_, machinery));
    records_ = work.records;
    empty_layers_.resize(records_.size());
  }
  void take(std::size_t index, const results::ResultRecord& record, const runtime::Result& result,
            const results::RunMetrics& figures, const std::function<void()>& moved) override {
    empty_layers_[index] = writer_->write(index, record, result, figures, moved);
  }
  void print_summary(double seconds) const {
    launch::print_summary(*writer_, records_, options_, empty_layers_, seconds);
  }

 private:
  const session::DecomposeOptions& options_;
  const std::vector<results::OptionRecord>& option_records_;
  std::optional<results::ResultWriter> writer_;
  std::vector<results::ResultRecord> records_;
  std::vector<std::vector<std::size_t>> empty_layers_;  // of each result
};

}  // namespace

void run_decompose(const session::DecomposeOptions& options,
                   const std::vector<results::OptionRecord>& option_records, comm::Communicator& communicator,
                   const std::atomic<bool>& stop_requested, std::string& doing) {
  const auto start = std::chrono::steady_clock::now();
  WrittenResults results(options, option_records);
  RunDisplay display(options.quiet ? Loudness::kQuiet : Loudness::kUsual, stop_requested);
  session::make_results(options, option_records, results, communicator, {stop_requested, doing, display});
  if (communicator.rank() != 0 || options.quiet) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  results.print_summary(took.count());
}

}  // namespace layerpipe::launch
