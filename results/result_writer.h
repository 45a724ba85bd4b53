// Where results go: pictures, run.json and dumped latents.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "results/document_writing.h"
#include "results/output_options.h"
#include "results/run_record.h"
#include "runtime/device/memory.h"
#include "runtime/engine.h"

namespace layerpipe::results {

// Throws DoesNotFitError when a machine has not the memory free that writing the largest of these results
// takes in one of the formats. To be asked before the work: with --original-size, a picture's size decides.
void check_writing_memory(const std::vector<RunRecord>& records, std::span<const Format> formats,
                          const runtime::MemoryUse& machine);

// One result goes to --out itself, several to --out/0, --out/1 and so on.
class ResultWriter {
 public:
  // Makes all folders and takes an earlier run's run.json away with its page, also where this run writes
  // none, because the earlier one had one result, or more: from then on, a folder with a run.json holds a
  // whole result of this run. A single result beside the folders of several goes with its files, but for
  // what this run is made from. Throws InputError when something cannot be written: hours of work come behind
  // it.
  ResultWriter(const OutputOptions& options, std::size_t results);

  // Writes result `index` in all formats, run.json last, and takes away what an earlier run left there in
  // others. The files are written side by side, on the threads that LibTorch has on the CPU, as far as the
  // machine's free memory allows. `record` is what is known of it but for its layers and files; its seconds
  // of writing are those of the results before. The layers without a visible pixel. Calls `told` as
  // run_writing_tasks does. Throws OutputError, InputError when a format cannot hold the layers, and what
  // `told` throws; the files at hand are taken away then.
  std::vector<std::size_t> write(
      std::size_t index, RunRecord record, const runtime::Result& result,
      const std::function<void(const WritingProgress&)>& told = [](const WritingProgress&) {}) const;

  std::filesystem::path folder(std::size_t index) const;

 private:
  const OutputOptions& options_;
  std::size_t results_;
};

}  // namespace layerpipe::results
