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
#include "runtime/network.h"
#include "runtime/phase.h"
#include "runtime/request.h"

namespace layerpipe::runtime {

enum class WeightOrigin { kFiles, kRandom };

struct EngineConfig {
  std::filesystem::path model_folder;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  WeightOrigin weights = WeightOrigin::kFiles;
};

// Told to the listener while a network's weights are loaded, in bytes; when a phase's own work begins
// (done == 0); and after each unit of it: a step of a request while denoising, a request otherwise.
struct Progress {
  enum class Work { kLoad, kCompute };
  Phase phase;
  Work work;
  std::int64_t done;
  std::int64_t total;
  std::size_t request;  // while computing
  Network network;      // while loading
};
using ProgressListener = std::function<void(const Progress&)>;

// Given each result as soon as it is decoded, in the order of the requests. What it throws ends the run;
// results that it was given before are its own.
using ResultSink = std::function<void(std::size_t request, Result result)>;

// What a phase took.
struct PhaseFigures {
  double seconds = 0;            // wall time, loading included
  double load_seconds = 0;       // of these, for loading weights
  std::uint64_t peak_bytes = 0;  // MemoryUse::peak
};

// Owns a model's configuration and tokenizer. A phase's weights are loaded when it begins and let go when it
// ends, once for all requests of a call. Called by one thread.
class Engine {
 public:
  // Reads config files, tokenizer and the headers of all weight files, and checks that the files hold every
  // tensor that the config needs; reads no weights. Throws InputError.
  explicit Engine(EngineConfig config);

  const model::ModelConfig& model_config() const noexcept { return model_; }

  // Memory that a network's weights take on the device, in bytes. None for what is used where it is mapped.
  std::uint64_t weight_bytes(Network network) const { return weight_bytes_.at(network); }

  // Throws InputError unless `request` can be computed with this model.
  void check(const Request& request) const;

  // Throws DoesNotFitError when the device has not the memory free that some network's weights take.
  void check_memory() const;

  // Runs all requests. Their layers are decoded one request at a time, and a result is let go once `sink` has
  // it. `stop_requested` is looked at between units of work: InterruptedError. Running out of the device's
  // memory: DoesNotFitError.
  void run(std::span<const Request> requests, const ProgressListener& listener, const ResultSink& sink,
           const std::atomic<bool>& stop_requested);

  // Of the last run, so far: a sink sees what decoding has taken up to its own result.
  const PerPhase<PhaseFigures>& figures() const noexcept { return figures_; }

 private:
  struct Run;
  void encode(Run& run);
  void denoise(Run& run);
  void decode(Run& run, const ResultSink& sink);
  void begin_phase(Run& run, Phase phase);
  void end_phase(const Run& run);
  template <typename T, typename Config>
  T load(Run& run, Network network, const Config& config);
  void measure_networks();

  EngineConfig config_;
  model::ModelConfig model_;
  model::Tokenizer tokenizer_;
  std::map<std::string, std::shared_ptr<const model::TensorSource>> sources_;  // by component
  std::map<Network, std::uint64_t> weight_bytes_;
  PerPhase<PhaseFigures> figures_;
};

}  // namespace layerpipe::runtime
