// Runs requests through the phases on one device.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/tokenizer/tokenizer.h"
#include "model/weights/tensor_source.h"
#include "model/weights/weights.h"
#include "runtime/request.h"

namespace layerpipe::runtime {

enum class WeightOrigin { kFiles, kRandom };

struct EngineConfig {
  std::filesystem::path model_folder;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  WeightOrigin weights = WeightOrigin::kFiles;
};

// Told to the listener when a phase begins (done == 0) and after each unit of its work: a step of a request
// while denoising, a request otherwise.
struct Progress {
  Phase phase;
  std::int64_t done;
  std::int64_t total;
  std::size_t request;
};
using ProgressListener = std::function<void(const Progress&)>;

// Given each result as soon as it is decoded, in the order of the requests. What it throws ends the run;
// results that it was given before are its own.
using ResultSink = std::function<void(std::size_t request, Result result)>;

// Wall seconds of each phase, loading its weights included.
struct PhaseSeconds {
  double encode = 0;
  double denoise = 0;
  double decode = 0;
};

// Owns a model's configuration and tokenizer. A phase's weights are loaded when it begins and let go when it
// ends, once for all requests of a call. Called by one thread.
class Engine {
 public:
  // Reads config files, tokenizer and where each component's weights lie, but no weights. Throws InputError.
  explicit Engine(EngineConfig config);

  const model::ModelConfig& model_config() const noexcept { return model_; }

  // Throws InputError unless `request` can be computed with this model.
  void check(const Request& request) const;

  // Runs all requests. Their layers are decoded one request at a time, and a result is let go once `sink` has
  // it. `stop_requested` is looked at between units of work: InterruptedError.
  void run(std::span<const Request> requests, const ProgressListener& listener, const ResultSink& sink,
           const std::atomic<bool>& stop_requested);

  // Of the last run, so far: a sink sees what decoding has taken up to its own result.
  const PhaseSeconds& phase_seconds() const noexcept { return seconds_; }

 private:
  struct Run;
  void encode(Run& run);
  void denoise(Run& run);
  void decode(Run& run, const ResultSink& sink);
  model::WeightStore store(const std::string& component) const;

  EngineConfig config_;
  model::ModelConfig model_;
  model::Tokenizer tokenizer_;
  std::map<std::string, std::shared_ptr<const model::TensorSource>> sources_;  // by component
  PhaseSeconds seconds_;
};

// File stem of a component's weights in diffusers layout.
const char* weight_file_stem(const std::string& component);

}  // namespace layerpipe::runtime
