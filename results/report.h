// run.json: everything that made a picture, beside the picture.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/size.h"
#include "partition/network.h"
#include "partition/plan.h"
#include "runtime/device/device.h"
#include "runtime/observe/metrics.h"

namespace layerpipe::results {

// An option as it took effect, and where it came from: "command line", "config file" or "default".
struct OptionRecord {
  enum class Kind { kValue, kPath };
  std::string name;
  std::vector<std::string> values;  // one, but for options that take several
  std::string source;
  Kind kind = Kind::kValue;
};

// What all results of a run share, as far as it is known before the work.
struct RunOrigin {
  std::string version;  // of layerpipe
  std::string command;  // "decompose"
  std::vector<OptionRecord> options;
  std::string model_folder;
  std::string pipeline;     // the class in model_index.json
  std::string fingerprint;  // model/fingerprint.h
  runtime::DeviceFacts device;
  std::string dtype;
};

// One result.
struct ResultRecord {
  std::string picture;  // the input file
  common::Size picture_size;
  common::Size working_size;  // what the model saw
  common::Size layer_size;    // of the layers that were written
  std::uint64_t seed = 0;
  std::string picture_hash;  // of the pixels at the working size (model/fingerprint.h)
  // Of each layer's RGBA pixels as they were decoded, before --original-size; known once they are
  // (model/fingerprint.h).
  std::vector<std::string> layer_hashes;
};

// What was measured.
struct RunMetrics {
  std::string run_id;  // of the run, and of its trace (runtime/observe/trace.h); empty: it has none
  partition::Plan plan;
  std::vector<runtime::RankMetrics> ranks;  // of the run up to this result, all requests together
  std::vector<double> step_seconds;
  std::vector<std::pair<partition::Network, std::uint64_t>> weight_bytes;
  std::uint64_t host_peak_bytes = 0;
};

// What was written of a result.
struct WrittenFiles {
  std::vector<std::string> files;         // relative to run.json; those elsewhere by their paths
  std::vector<std::size_t> empty_layers;  // without a visible pixel, counted from the back, from 0
};

// What made the result, as one line of JSON for a picture's text: no times, so that the same run gives the
// same bytes, and of paths only the last part, since pictures are handed on.
std::string origin_json(const RunOrigin& origin, const ResultRecord& result);

// The text of run.json, indented: what made the result, what was measured, and what was written.
std::string report_json(const RunOrigin& origin, const ResultRecord& result, const RunMetrics& figures,
                        const WrittenFiles& written);

}  // namespace layerpipe::results
