// Where results go: pictures, run.json and dumped latents.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "results/document_writing.h"
#include "results/output_options.h"
#include "results/result_folder.h"
#include "results/run_record.h"
#include "runtime/device/memory.h"
#include "runtime/engine.h"

namespace layerpipe::results {

// Throws DoesNotFitError when a machine has not the memory free that writing the largest of these results
// takes in one of the formats. To be asked before the work: with --original-size, a picture's size decides.
void check_writing_memory(const std::vector<RunRecord>& records, std::span<const Format> formats,
                          const runtime::MemoryUse& machine);

// One result goes to --out itself, several to --out/0, --out/1 and so on. Each appears when it is whole;
// where they replace those of an earlier run, or files in their way, all appear together at the end, so that
// until then the earlier ones are whole.
class ResultWriter {
 public:
  // Makes all folders and holds them against other runs (results/result_folder.h). What an earlier run wrote
  // there and nobody has changed since will go with its first run.json to be replaced, also when that run had
  // another number of results; what the run is made from stays. `layers` has each result. Throws InputError
  // when something cannot be written or stands in the way: hours of work come behind it. `moved` is called
  // now and later while files that lie there are read.
  ResultWriter(
      const OutputOptions& options, std::size_t results, std::size_t layers,
      const std::function<void()>& moved = [] {});

  // Writes result `index` in all formats. The files are written side by side, on the threads that LibTorch
  // has on the CPU, as far as the machine's free memory allows. `record` is what is known of it but for its
  // layers and files; its seconds of writing are those of the results before. The layers without a visible
  // pixel. Calls `told` as run_writing_tasks does. Throws OutputError, InputError when a format cannot hold
  // the layers, and what `told` throws; nothing of the result is left then.
  std::vector<std::size_t> write(
      std::size_t index, RunRecord record, const runtime::Result& result,
      const std::function<void(const WritingProgress&)>& told = [](const WritingProgress&) {});

  // To be called at the end of the work: puts what was written in its place also where other results failed.
  // Throws OutputError.
  void finish();

  std::filesystem::path folder(std::size_t index) const;
  // What a person should know before the work; mostly empty.
  std::string remark() const;

 private:
  const OutputOptions& options_;
  std::size_t results_;
  std::size_t layers_;
  std::size_t written_ = 0;
  std::unique_ptr<ResultFolder> folder_;
};

}  // namespace layerpipe::results
