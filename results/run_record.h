// run.json: everything that made a picture, beside the picture. A run fills in a record and writes it;
// `layerpipe report` shows what it reads, `layerpipe rerun` makes it again. Without LibTorch.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/size.h"
#include "results/file_content.h"

namespace layerpipe::results {

// Encode, denoise, decode: the order of the phases, and their keys.
inline constexpr std::array<std::string_view, 3> kRecordedPhases{"encode", "denoise", "decode"};
template <typename T>
using ByPhase = std::array<T, kRecordedPhases.size()>;

// An option as it took effect, and where it came from.
struct RecordedOption {
  std::string name;                 // without dashes
  std::vector<std::string> values;  // one, but for options that take several
  std::string source;               // "command line", "config file" or "default"
};

// A prompt whose end the model did not read.
struct RecordedCut {
  std::string option;  // "prompt", "negative-prompt"
  std::int64_t tokens = 0;
  std::int64_t read_tokens = 0;  // the first ones
  std::string dropped;           // the text of the others
};

// A stage of the plan.
struct RecordedStage {
  std::int64_t stage = 0;
  std::int64_t rank = 0;
  std::string host;
  std::pair<std::int64_t, std::int64_t> blocks;       // half-open
  std::pair<std::int64_t, std::int64_t> text_layers;  // half-open
  double vae_percent = 0;
  std::string residency;  // "resident", or "transformer phased, vae resident"
};

struct RecordedEdge {
  std::int64_t to_rank = 0;
  std::int64_t messages = 0;
  std::uint64_t bytes = 0;
  double wait_seconds = 0;  // of the sender, because the edge was full
};

struct RecordedRank {
  std::int64_t rank = 0;
  std::string host;
  std::string device;
  std::int64_t stage = 0;
  ByPhase<std::uint64_t> predicted_peak_bytes{};
  ByPhase<std::uint64_t> peak_bytes{};  // 0 where the rank did not tell: it has no part in the phase
  // What its phases took, loading included, and of that the loading; 0 where it was not known when
  // the file was written: when rank 0 writes a result, the others may still be decoding the next one. Not in
  // files of an earlier layerpipe.
  std::optional<ByPhase<double>> seconds;
  std::optional<ByPhase<double>> load_seconds;
  // While denoising: in all, at work, waiting for others, and neither.
  double denoise_seconds = 0;
  double busy_seconds = 0;
  double wait_seconds = 0;
  double idle_seconds = 0;
  std::optional<RecordedEdge> edge;  // to the next stage; none when the rank is alone
};

// A file that was written, as it was then.
struct WrittenFile {
  std::string name;  // relative to run.json
  FileContent content;
};

// One result of a run.
struct RunRecord {
  std::vector<std::pair<std::string, std::string>> versions;  // "layerpipe", "torch" …
  std::string command;                                        // "decompose"
  // What makes this result again, as JSON (session/job.h); empty in files of an earlier layerpipe.
  std::string job;
  // The part of the job that decides the pixels, for the texts of pictures. It is not in run.json.
  std::string deciding_job;
  std::vector<RecordedOption> options;
  std::vector<RecordedCut> cut_prompts;  // none in files of an earlier layerpipe
  std::string model_folder;
  std::string pipeline;     // the class in model_index.json
  std::string fingerprint;  // of the model (model/fingerprint.h)
  std::string device_id;    // "cpu", "cuda:0"
  std::string device_name;
  std::string compute_capability;  // "9.0"; empty for the CPU
  std::string dtype;
  std::string picture;  // the input file
  common::Size picture_size;
  common::Size working_size;  // what the model saw
  common::Size layer_size;    // of the layers that were written
  std::uint64_t seed = 0;
  // The same in the trace of the run (runtime/observe/trace.h); empty in files of an earlier layerpipe.
  std::string run_id;
  ByPhase<double> seconds{};  // of rank 0, loading included
  ByPhase<double> load_seconds{};
  // Of writing this result and those before it, until its run.json; not in files of an earlier layerpipe.
  std::optional<double> write_seconds;
  std::vector<double> step_seconds;
  // Bytes of rank 0; `layerpipe report` takes those of the ranks, so a file may be without them.
  std::vector<std::pair<std::string, std::uint64_t>> weight_bytes;  // "vae_encoder" …
  ByPhase<std::uint64_t> peak_bytes{};
  std::uint64_t host_peak_bytes = 0;
  std::string plan;  // as JSON (runtime/plan/plan_json.h); set_plan() reads the next four from it
  std::string strategy;
  std::vector<RecordedStage> stages;
  std::optional<double> predicted_step_seconds;
  std::optional<double> predicted_seconds;
  std::vector<RecordedRank> ranks;  // in the order of the stages
  // The hash of the pixels that the model saw (model/fingerprint.h); empty in files of an earlier layerpipe.
  std::string picture_hash;
  // Of each layer's RGBA pixels as they were decoded, before --original-size (model/fingerprint.h); empty in
  // files of an earlier layerpipe.
  std::vector<std::string> layer_hashes;
  std::vector<std::size_t> empty_layers;  // without a visible pixel, counted from the back, from 0
  std::vector<std::string> files;         // relative to run.json; those elsewhere by their paths
  // The files that lie beside run.json and go with the result, also the page of `layerpipe report`; empty in
  // files of an earlier layerpipe.
  std::vector<WrittenFile> written;
  // Which result of how many it is, from 0; 0 of 0 in files of an earlier layerpipe.
  std::size_t number = 0;
  std::size_t results = 0;

  // What measured peaks are of: on the CPU of the whole process, on a GPU of the device.
  bool on_cpu() const { return device_id == "cpu"; }
  // Nothing when there is no such option.
  const RecordedOption* option(std::string_view name) const;
  std::string version(std::string_view of) const;
  std::string prompt() const;  // of the options; empty when there is none
};

// Takes a plan as runtime/plan/plan_json.h writes it. Throws InputError for what it cannot have written.
void set_plan(RunRecord& record, const std::string& plan_json);

// The most bytes that a run.json may have.
inline constexpr std::uint64_t kLargestRunRecord = 16 << 20;

// Reads the text of a run.json, which messages call `name`. Throws InputError that names the file and the key
// for everything that a run.json of this program cannot hold: a wrong type, a size that no picture may have,
// a figure below zero, a rank that the plan does not know. Keys that it does not know are passed over.
RunRecord parse_run_record(std::string_view text, const std::string& name);

// The same for a file.
RunRecord read_run_record(const std::filesystem::path& file);

// The text of run.json, indented and sealed (results/file_content.h). A path may hold bytes that are not
// UTF-8; they become U+FFFD.
std::string run_json(const RunRecord& record);

// What made the result, as one line of JSON for a picture's text: nothing that differs when the same run is
// made again, in another folder too, and of paths only the last part, since pictures are handed on.
std::string picture_json(const RunRecord& record);

// "layers" of "/home/somebody/layers/".
std::string last_part(const std::string& path);

}  // namespace layerpipe::results
