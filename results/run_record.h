// run.json, read back: what `layerpipe report` shows and `layerpipe rerun` makes again. Without LibTorch.
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

namespace layerpipe::results {

// Encode, denoise, decode: the order of the phases, and their keys.
inline constexpr std::array<std::string_view, 3> kRecordedPhases{"encode", "denoise", "decode"};
template <typename T>
using ByPhase = std::array<T, kRecordedPhases.size()>;

struct RecordedOption {
  std::string name;                 // without dashes
  std::vector<std::string> values;  // one, but for options that take several
  std::string source;               // "command line", "config file" or "default"
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
  ByPhase<std::uint64_t> predicted_peak_bytes{};
  ByPhase<std::uint64_t> peak_bytes{};  // 0 where the rank did not tell: it has no part in the phase
  // What its phases took, loading included, and of that the loading; 0 where it was not known when
  // the file was written. Not in files of an earlier layerpipe.
  std::optional<ByPhase<double>> seconds;
  std::optional<ByPhase<double>> load_seconds;
  // While denoising: in all, at work, waiting for others, and neither.
  double denoise_seconds = 0;
  double busy_seconds = 0;
  double wait_seconds = 0;
  double idle_seconds = 0;
  std::optional<RecordedEdge> edge;  // to the next stage; none when the rank is alone
};

struct RunRecord {
  std::vector<std::pair<std::string, std::string>> versions;  // "layerpipe", "torch" …
  std::string command;
  std::vector<RecordedOption> options;
  std::string prompt;  // of the options
  std::string model_folder;
  std::string pipeline;
  std::string fingerprint;
  std::string device_id;  // "cpu", "cuda:0"
  std::string device_name;
  std::string dtype;
  std::string picture;
  common::Size picture_size;
  common::Size working_size;
  common::Size layer_size;
  std::uint64_t seed = 0;
  ByPhase<double> seconds{};  // of rank 0, loading included
  ByPhase<double> load_seconds{};
  std::vector<double> step_seconds;
  std::string strategy;
  std::vector<RecordedStage> stages;
  std::optional<double> predicted_step_seconds;
  std::optional<double> predicted_seconds;
  std::vector<RecordedRank> ranks;  // in the order of the stages
  std::vector<std::string> files;
  // The same in the trace of the run (RunMetrics::run_id); empty in files of an earlier layerpipe.
  std::string run_id;
  // Of the pixels that the model saw (ResultRecord::picture_hash); empty in files of an earlier layerpipe.
  std::string picture_hash;
  // Of each layer's pixels as they were decoded (ResultRecord::layer_hashes); empty in files of an earlier
  // layerpipe.
  std::vector<std::string> layer_hashes;

  // What measured peaks are of: on the CPU of the whole process, on a GPU of the device.
  bool on_cpu() const { return device_id == "cpu"; }
  // Nothing when there is no such option.
  const RecordedOption* option(std::string_view name) const;
  std::string version(std::string_view of) const;
};

// The most bytes that a run.json may have.
inline constexpr std::uint64_t kLargestRunRecord = 16 << 20;

// Reads the text of a run.json, which messages call `name`. Throws InputError that names the file and the key
// for everything that a run.json of this program cannot hold: a wrong type, a size that no picture may have,
// a figure below zero, a rank that the plan does not know. Keys that it does not know are passed over.
RunRecord parse_run_record(std::string_view text, const std::string& name);

// The same for a file.
RunRecord read_run_record(const std::filesystem::path& file);

}  // namespace layerpipe::results
