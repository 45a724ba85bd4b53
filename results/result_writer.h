// Where results go: pictures, run.json and dumped latents.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "results/output_options.h"
#include "results/report.h"
#include "runtime/device/memory.h"
#include "runtime/engine.h"

namespace layerpipe::results {

// Throws DoesNotFitError when a machine has not the memory free that writing the largest of these results
// takes. To be asked before the work: with --original-size, a picture's size decides.
void check_writing_memory(const std::vector<ResultRecord>& records, const runtime::MemoryUse& machine);

// One result goes to --out itself, several to --out/0, --out/1 and so on.
class ResultWriter {
 public:
  // Makes all folders and takes an earlier run's run.json away with its page, also where this run writes
  // none, because the earlier one had one result, or more: from then on, a folder with a run.json holds a
  // whole result of this run. A single result beside the folders of several goes with its files, but for
  // what this run is made from. Throws InputError when something cannot be written: hours of work come behind
  // it.
  ResultWriter(const OutputOptions& options, std::size_t results, RunOrigin origin);

  // Writes result `index` in all formats, run.json last, and takes away what an earlier run left there in
  // others. The layers without a visible pixel. Calls `moved` with every layer. Throws OutputError,
  // InputError when a format cannot hold the layers, and what `moved` throws; the file at hand is taken away
  // then.
  std::vector<std::size_t> write(
      std::size_t index, const ResultRecord& record, const runtime::Result& result, const RunMetrics& figures,
      const std::function<void()>& moved = [] {}) const;

  std::filesystem::path folder(std::size_t index) const;

 private:
  const OutputOptions& options_;
  std::size_t results_;
  RunOrigin origin_;
};

}  // namespace layerpipe::results
