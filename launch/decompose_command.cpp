#include "launch/decompose_command.h"

#include <fmt/ranges.h>

#include <chrono>
#include <optional>

#include "common/units.h"
#include "launch/decompose_run.h"
#include "launch/disk_space.h"
#include "launch/documents.h"
#include "launch/dtype.h"
#include "launch/result_writer.h"
#include "launch/terminal.h"
#include "runtime/memory.h"

namespace layerpipe::launch {
namespace {

runtime::RunOrigin origin_of(const DecomposeOptions& options,
                             const std::vector<runtime::OptionRecord>& option_records,
                             const Machinery& machinery) {
  return {.version = LAYERPIPE_VERSION,
          .command = "decompose",
          .options = option_records,
          .model_folder = options.model.string(),
          .pipeline = model::to_string(machinery.engine->model_config().pipeline),
          .fingerprint = machinery.fingerprint,
          .device = machinery.device,
          .dtype = word_of(machinery.dtype)};
}

// "2 layers of 640 × 448 pixels and composite.png, layers.psd".
std::string summary_of(const DecomposeOptions& options, const common::Size& size) {
  std::vector<std::string> files;
  if (contains(options.formats, Format::kPng)) files.emplace_back(kCompositeName);
  for (const Format format : options.formats) {
    if (format != Format::kPng) files.push_back(document_name(format));
  }
  return fmt::format("{} layers of {} × {} pixels {} {}", options.work.layers, size.width, size.height,
                     contains(options.formats, Format::kPng) ? "and" : "in", fmt::join(files, ", "));
}

// `empty_layers`: of each result.
void print_summary(const ResultWriter& writer, const std::vector<runtime::ResultRecord>& records,
                   const DecomposeOptions& options, const std::vector<std::vector<std::size_t>>& empty_layers,
                   double seconds) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::string folder = writer.folder(i).string();
    say(fmt::format("{}: {}\n", folder, summary_of(options, records[i].layer_size)));
    if (!empty_layers[i].empty()) say(fmt::format("{}: {}\n", folder, empty_layers_text(empty_layers[i])));
  }
  say(fmt::format("done in {}\n", common::format_duration(std::chrono::duration<double>(seconds))));
}

// Into files.
class WrittenResults : public ResultSink {
 public:
  WrittenResults(const DecomposeOptions& options, const std::vector<runtime::OptionRecord>& option_records)
      : options_(options), option_records_(option_records) {}

  void begin(const Machinery& machinery, const Work& work) override {
    check_writing_memory(work.records, runtime::memory_use(at::kCPU));
    check_disk_space(options_, work.requests, work.records, machinery.engine->model_config());
    writer_.emplace(options_, work.requests.size(), origin_of(options_, option_records_, machinery));
    records_ = work.records;
    empty_layers_.resize(records_.size());
  }
  void take(std::size_t index, const runtime::ResultRecord& record, const runtime::Result& result,
            const runtime::RunFigures& figures, const std::function<void()>& moved) override {
    empty_layers_[index] = writer_->write(index, record, result, figures, moved);
  }
  void print_summary(double seconds) const {
    launch::print_summary(*writer_, records_, options_, empty_layers_, seconds);
  }

 private:
  const DecomposeOptions& options_;
  const std::vector<runtime::OptionRecord>& option_records_;
  std::optional<ResultWriter> writer_;
  std::vector<runtime::ResultRecord> records_;
  std::vector<std::vector<std::size_t>> empty_layers_;  // of each result
};

}  // namespace

void run_decompose(const DecomposeOptions& options, const std::vector<runtime::OptionRecord>& option_records,
                   comm::Communicator& communicator, const std::atomic<bool>& stop_requested,
                   std::string& doing) {
  const auto start = std::chrono::steady_clock::now();
  WrittenResults results(options, option_records);
  make_results(options, option_records, results, communicator, {stop_requested, doing});
  if (communicator.rank() != 0 || options.quiet) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  results.print_summary(took.count());
}

}  // namespace layerpipe::launch
