#include "runtime/engine.h"

#include <ATen/Context.h>
#include <c10/util/ScopeExit.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "comm/local/local_transport.h"
#include "common/clock.h"
#include "common/errors.h"
#include "model/pipeline/pipeline.h"
#include "model/transformer/modulation_table.h"
#include "runtime/device/device.h"
#include "runtime/device/memory.h"
#include "runtime/device/memory_errors.h"
#include "runtime/phases/decode_phase.h"
#include "runtime/phases/denoise_phase.h"
#include "runtime/phases/encode_phase.h"
#include "runtime/phases/run_context.h"
#include "runtime/phases/stage_state.h"
#include "runtime/plan/whole_plan.h"
#include "runtime/schedule/channels.h"

namespace layerpipe::runtime {
namespace {

// fp32 means fp32: LibTorch lets convolutions on a GPU round their inputs to TF32 unless told otherwise.
void forbid_tf32() {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
}

void check_plan(const partition::Plan& plan, int ranks) {
  common::ensure(plan.stages.size() == static_cast<std::size_t>(ranks), "a plan gives every rank one stage");
  common::ensure(plan.topology().first_rank() == kFirstRank, "the first stage belongs to rank 0");
}

// Whether a window needs a network at all: what the one before has encoded is not encoded again.
bool has_work(partition::Network network, const RunContext& run, const PromptList& prompts) {
  if (network == partition::Network::kTextEncoder) return !unknown_prompts(run, prompts).empty();
  if (network == partition::Network::kVaeEncoder) return !all_pictures_are_known(run);
  return true;
}

// Running out of a GPU's memory becomes an error that says what was foretold; all others stay as they are.
std::exception_ptr in_our_words(const std::exception_ptr& failure, const RunContext& run) {
  try {
    std::rethrow_exception(failure);
  } catch (const c10::OutOfMemoryError& error) {
    std::uint64_t weights = 0;
    for (const partition::Network network : partition::kNetworks) {
      if (partition::phase_of(network) == run.progress.phase())
        weights = std::max(weights, run.networks.weight_bytes(network));
    }
    return std::make_exception_ptr(
        out_of_memory(run.progress.phase(), weights, run.device, error.what_without_backtrace()));
  } catch (...) {
    return failure;
  }
}

}  // namespace

Engine::Engine(const EngineConfig& config)
    : Engine(config, nullptr, std::move(comm::connect_local(1, std::chrono::hours(1)).front())) {}

Engine::Engine(const EngineConfig& config, comm::Communicator& communicator)
    : Engine(config, &communicator, nullptr) {}

Engine::Engine(const EngineConfig& config, comm::Communicator* communicator,
               std::unique_ptr<comm::Communicator> alone)
    : config_(config),
      alone_(std::move(alone)),
      communicator_(alone_ ? *alone_ : *communicator),
      model_(config.model_folder, config.weights, config.variant, config.files) {
  // What is missing in the files is found here, on every rank, before the work.
  const partition::Plan whole = whole_plan(model_.config());
  const NetworkSet networks(model_, whole.stages[0], config_.device, config_.dtype, config_.linears);
  for (const partition::Network network : partition::kNetworks)
    weight_bytes_[network] = networks.weight_bytes(network);
  if (config_.dtype == at::kFloat && !config_.device.is_cpu()) forbid_tf32();
}

void Engine::check(const Request& request) const {
  const model::ModelConfig& model = model_.config();
  pipeline_of(model.pipeline).check_takes_picture(model, config_.model_folder.string());
  const model::TokenGrid grid = grid_of(request, model);
  common::ensure(grid.height > 0 && grid.width > 0, "a request's picture is smaller than one token");
  if (!request.init_latents.defined()) return;
  const std::vector<std::int64_t> expected{grid.latent_tokens(), model.transformer.in_channels};
  if (request.init_latents.sizes() != at::IntArrayRef(expected)) {
    throw common::InputError("init_latents have " + std::to_string(request.init_latents.size(0)) +
                                 " tokens of " + std::to_string(request.init_latents.size(1)) +
                                 " channels; this picture needs " + std::to_string(expected[0]) + " of " +
                                 std::to_string(expected[1]),
                             "Make them for the same picture size and number of layers.");
  }
}

Engine::~Engine() = default;

void Engine::cancel(std::size_t request) {
  const std::lock_guard lock(cancelled_mutex_);
  cancelled_.insert(request);
}

void Engine::forget_cancelled() {
  const std::lock_guard lock(cancelled_mutex_);
  cancelled_.clear();
}

void Engine::give_up_cancelled(RunContext& run) {
  if (!run.is_first()) return;
  const std::lock_guard lock(cancelled_mutex_);
  for (const std::size_t request : cancelled_) {
    if (request < run.states.size() && !run.states[request].failure)
      run.states[request].failure = std::make_exception_ptr(common::InterruptedError());
  }
}

void Engine::do_phase(RunContext& run, partition::Phase phase, const std::function<void()>& work) {
  release_unused(config_.device);  // what the phase before has let go
  reset_peak(config_.device);
  run.progress.begin_phase(phase);
  run.load_seconds = 0;
  phase_start_ = common::now();
  untraced_since_ = phase_start_;
  work();
  measure_phase(run);
  if (untraced_since_) run.trace.add_phase(to_string(phase), *untraced_since_, common::now());
}

// May be called while a phase goes on: it counts what there is so far.
void Engine::measure_phase(RunContext& run) {
  wait_for(config_.device);
  PhaseMetrics& metrics = my_metrics().phases[run.progress.phase()];
  metrics.seconds = common::now() - phase_start_;
  metrics.load_seconds = run.load_seconds;
  metrics.peak_bytes = std::max(metrics.peak_bytes, memory_use(config_.device).peak);
}

// Every rank learns what all have measured.
void Engine::share_metrics() {
  const auto all = communicator_.all_gather(serialise(my_metrics()), "exchanging measurements");
  for (std::size_t rank = 0; rank < all.size(); ++rank) metrics_[rank] = deserialise_metrics(all[rank]);
}

void Engine::look_around() const {
  communicator_.check();
  if (stop_requested_ != nullptr && stop_requested_->load()) throw common::InterruptedError();
}

StageState& Engine::state_for(const partition::Plan& plan) {
  const int place = plan.topology().index_of(communicator_.rank());
  const partition::StagePlan& part = plan.stages[static_cast<std::size_t>(place)];
  if (state_ && same_layout(state_->plan, plan)) {
    if (state_->plan.in_flight != plan.in_flight) state_->links.reset();
    state_->plan = plan;
    state_->part = part;
    return *state_;
  }
  state_.reset();  // before there is a second one on the device
  state_.reset(new StageState{
      .plan = plan,
      .part = part,
      .networks = NetworkSet(model_, part, config_.device, config_.dtype, config_.linears,
                             StreamListener{.while_waiting = [this] { look_around(); },
                                            .moved = [this] { communicator_.report_progress(); }},
                             config_.most_pinned_bytes),
      .exchange = HostExchange(communicator_, channel_number(ChannelUse::kHostExchange)),
      .links = {},
      .known = {}});
  return *state_;
}

void Engine::run(std::span<const Request> requests, const partition::Plan& plan,
                 const RunListeners& listeners, const std::atomic<bool>& stop_requested,
                 std::span<const Request> later) {
  stop_requested_ = &stop_requested;
  const auto forget = c10::make_scope_exit([this] {
    stop_requested_ = nullptr;
    forget_cancelled();
  });
  for (const Request& request : requests) check(request);
  check_plan(plan, communicator_.size());
  StageState& state = state_for(plan);
  RunContext run{.model = model_,
                 .device = config_.device,
                 .dtype = config_.dtype,
                 .requests = requests,
                 .later = later,
                 .plan = plan,
                 .part = state.part,
                 .communicator = communicator_,
                 .channel = config_.channel,
                 .exchange = state.exchange,
                 .networks = state.networks,
                 .links = state.links,
                 .known = state.known,
                 .states = std::vector<RequestState>(state.part.is_first() ? requests.size() : 0),
                 .progress = ProgressReporter(listeners.progress, stop_requested),
                 .trace = trace_,
                 .first_request = listeners.first_request};
  metrics_.assign(static_cast<std::size_t>(communicator_.size()), {});
  communicator_.barrier("beginning");
  trace_ = {.origin = common::now(), .events = {}};
  try {
    run_phases(run, listeners);
  } catch (...) {
    const std::exception_ptr failure = in_our_words(std::current_exception(), run);
    state_.reset();  // boundaries of this run may be under way
    std::rethrow_exception(failure);
  }
  if (listeners.failed) return;
  for (const RequestState& request : run.states) {
    if (request.failure) std::rethrow_exception(request.failure);
  }
}

void Engine::run_phases(RunContext& run, const RunListeners& listeners) {
  keep_modulation(run);
  const PromptList prompts = list_prompts(run.requests, model_.tokenizer(), model_.config().pipeline);
  const std::vector<partition::PhaseStep> steps = partition::phase_steps(run.plan.residency);
  for (const partition::Phase phase : partition::kPhases) {
    do_phase(run, phase, [&] {
      for (const partition::PhaseStep& step : steps) {
        if (step.phase == phase) perform(step, run, prompts, listeners);
      }
    });
    // Of decoding the ranks tell with what they decoded: the first results leave before the last is there.
    if (phase != partition::Phase::kDecode) share_metrics();
  }
  run.exchange.flush();
  release_unused(config_.device);  // for whoever has the device until the next window
}

// The plan's rows; more for a plan that was made for other requests.
void Engine::keep_modulation(RunContext& run) {
  const std::int64_t needed = model::rows_for(timesteps_of(run.requests, model_.config()), config_.dtype);
  run.networks.keep_modulation(std::max(run.plan.modulation_rows, needed));
}

void Engine::perform(const partition::PhaseStep& step, RunContext& run, const PromptList& prompts,
                     const RunListeners& listeners) {
  using partition::Network;
  switch (step.action) {
    case partition::StepAction::kLoad:
      if (!has_work(step.network, run, prompts)) return;
      return run.load(step.network);
    case partition::StepAction::kRelease:
      run.networks.release(step.network);
      return release_unused(config_.device);
    case partition::StepAction::kPrepare:
      return run.make_modulation();
    case partition::StepAction::kWork:
      break;
  }
  switch (step.network) {
    case Network::kTextEncoder:
      run.progress.begin_work(2 * static_cast<std::int64_t>(run.requests.size()));
      return encode_prompts(run, prompts);
    case Network::kVaeEncoder:
      return encode_pictures(run);
    case Network::kTransformer:
      return denoise_requests(
          run, prompts, [&] { give_up_cancelled(run); }, my_metrics());
    case Network::kVaeDecoder:
      return decode(run, listeners);
  }
}

void Engine::decode(RunContext& run, const RunListeners& listeners) {
  run.progress.begin_work(static_cast<std::int64_t>(run.requests.size()));
  std::size_t left = run.requests.size();
  const auto decoded = [&](std::size_t request) {
    measure_phase(run);
    for (std::size_t rank = 1; rank < metrics_.size(); ++rank)
      metrics_[rank].phases.decode.peak_bytes = run.decode_peak_bytes[rank];
    run.progress.count(request);
    --left;
    RequestState& state = run.states[request];
    if (!state.failure) {
      give_out(run, request, listeners);
      if (left == 0) untraced_since_.reset();
    } else if (listeners.failed) {
      listeners.failed(request, state.failure);
    }
    run.progress.go_on();
  };
  decode_layers(
      run, [&] { give_up_cancelled(run); }, decoded);
}

// What the listener takes, of time and of memory, is not decoding.
void Engine::give_out(RunContext& run, std::size_t request, const RunListeners& listeners) {
  const double begin = common::now();
  run.trace.add_phase(to_string(partition::Phase::kDecode), *untraced_since_, begin);
  listeners.result(request, std::exchange(run.states[request].result, {}));
  const double end = common::now();
  run.trace.add_phase(kWritingPhase, begin, end);
  untraced_since_ = end;
  phase_start_ += end - begin;
  reset_peak(config_.device);
}

}  // namespace layerpipe::runtime
