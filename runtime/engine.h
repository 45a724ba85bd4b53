// Runs windows of requests through the phases, together with the engines of the other ranks.
#pragma once

#include <atomic>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "partition/phase_steps.h"
#include "partition/plan.h"
#include "runtime/networks/model_folder.h"
#include "runtime/observe/metrics.h"
#include "runtime/observe/progress.h"
#include "runtime/observe/trace.h"
#include "runtime/request/request.h"

namespace layerpipe::runtime {

struct EngineConfig {
  std::filesystem::path model_folder;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;  // that is computed in
  Linears linears = Linears::kAsStored;
  WeightOrigin weights = WeightOrigin::kFiles;
  std::string variant;                                   // of the weight files; empty: without --variant
  model::ComponentFiles files;                           // in place of the folder's
  comm::ChannelKind channel = comm::ChannelKind::kHost;  // between stages
  std::uint64_t most_pinned_bytes = 0;                   // of the page cache, while weights stream to a GPU
};

// What the time of RunListeners::result is called in the trace, between two parts of decoding.
inline constexpr const char* kWritingPhase = "write";

// Who is told what during a run. On ranks other than 0 `result` and `failed` are never called.
struct RunListeners {
  ProgressListener progress;
  // Each result as soon as it is decoded, in the order of the requests. What it throws ends the run; results
  // that it was given before are its own. What it does is traced as kWritingPhase, and belongs to no phase's
  // metrics.
  std::function<void(std::size_t request, Result result)> result;
  // A request that failed, with the reason; the others go on. Without a listener the first such
  // reason is thrown when all others are done.
  std::function<void(std::size_t request, const std::exception_ptr& reason)> failed;
  // What messages and the trace call the window's first request; the others count up.
  std::int64_t first_request = 0;
};

struct PromptList;
struct RunContext;
struct StageState;

// One on each rank of `communicator`; all are used in the same way, and called by one thread. Networks that
// the plan keeps, and the edges between stages, live on from one run to the next for as long as plans have
// the same layout, so that a model is loaded and its stages are connected once; a phase's weights are loaded
// when it begins and let go when it ends. A run may follow the one before after any time: who waits meanwhile
// in run() waits for the others' heartbeats only, if the rank that is not there is in an IdleScope or reports
// progress (comm/communicator.h).
class Engine {
 public:
  // Reads config files, tokenizer and the headers of all weight files, and checks that the files hold every
  // tensor that the config needs; reads no weights. `communicator` outlives the engine. Throws InputError.
  Engine(const EngineConfig& config, comm::Communicator& communicator);
  // Makes an engine of one rank alone.
  explicit Engine(const EngineConfig& config);
  ~Engine();

  const ModelFolder& model() const noexcept { return model_; }
  const model::ModelConfig& model_config() const noexcept { return model_.config(); }

  // Memory that a whole network's weights take on this kind of device, in bytes.
  std::uint64_t weight_bytes(partition::Network network) const { return weight_bytes_.at(network); }

  // Throws InputError unless `request` can be computed with this model.
  void check(const Request& request) const;

  // Runs a window: all requests, which are the same on all ranks, go through the phases together as the plan
  // says, which is the same too and gives every rank one stage. `later` are those of the windows to come, in
  // order, as far as they are known, which need no pixels: what their timesteps need is made with what this
  // window's need, as far as the plan has room for it. Can be called any number of times. A picture
  // that is the tensor of the window before is not encoded again: it is so on all ranks or on none, and its
  // bytes do not change meanwhile. `stop_requested` is looked at between units of work: InterruptedError.
  // Running out of the device's memory: DoesNotFitError. A failure of another rank: PeerFailedError. Of what
  // is thrown here the others learn from the caller: Communicator::abort().
  void run(std::span<const Request> requests, const partition::Plan& plan, const RunListeners& listeners,
           const std::atomic<bool>& stop_requested, std::span<const Request> later = {});

  // On rank 0: gives a request of the run up, as early as possible; its end is told to `failed`. May be
  // called by any thread. It counts for one run.
  void cancel(std::size_t request);

  // The figures of the last run, by rank, so far: of the other ranks what they told at the end of each phase,
  // and with what they decoded.
  const std::vector<RankMetrics>& metrics() const noexcept { return metrics_; }
  // What this rank did in the last run.
  const Trace& trace() const noexcept { return trace_; }

 private:
  Engine(const EngineConfig& config, comm::Communicator* communicator,
         std::unique_ptr<comm::Communicator> alone);
  StageState& state_for(const partition::Plan& plan);
  void look_around() const;
  void run_phases(RunContext& run, const RunListeners& listeners);
  void keep_modulation(RunContext& run);
  void perform(const partition::PhaseStep& step, RunContext& run, const PromptList& prompts,
               const RunListeners& listeners);
  void decode(RunContext& run, const RunListeners& listeners);
  void give_out(RunContext& run, std::size_t request, const RunListeners& listeners);
  void do_phase(RunContext& run, partition::Phase phase, const std::function<void()>& work);
  void measure_phase(RunContext& run);
  void share_metrics();
  RankMetrics& my_metrics() { return metrics_[static_cast<std::size_t>(communicator_.rank())]; }
  void give_up_cancelled(RunContext& run);
  void forget_cancelled();

  EngineConfig config_;
  std::unique_ptr<comm::Communicator> alone_;  // of an engine without others
  comm::Communicator& communicator_;
  const std::atomic<bool>* stop_requested_ = nullptr;  // of the run at hand
  ModelFolder model_;
  std::map<partition::Network, std::uint64_t> weight_bytes_;
  std::unique_ptr<StageState> state_;  // from the first run on
  std::vector<RankMetrics> metrics_;
  Trace trace_;
  double phase_start_ = 0;                // later by what listeners have taken
  std::optional<double> untraced_since_;  // of the phase at hand; nothing when all of it is in the trace
  std::mutex cancelled_mutex_;
  std::set<std::size_t> cancelled_;  // in this run
};

}  // namespace layerpipe::runtime
